//! vqtoken
