//! vqtoken-nn
