//! Where a copy is kept at a file-like destination.
