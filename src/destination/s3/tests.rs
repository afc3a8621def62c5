//! The destination against a scripted server.
