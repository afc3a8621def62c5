//! The window as a person meets it, over a made-up world.
