//! Layers over any destination: each is a destination itself.

pub mod faulty;
