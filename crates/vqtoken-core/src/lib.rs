//! vqtoken-core
