//! vqtoken-video
