//! Whole lines from client to engine: real sockets, real threads, a scripted engine.
