//! Which files make one asset.
