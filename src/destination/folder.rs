//! A folder or an external disk.
