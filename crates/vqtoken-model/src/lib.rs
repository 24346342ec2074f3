//! vqtoken-model
