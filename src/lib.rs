#![doc = include_str!("ARCHITECTURE.md")]

pub mod agent;
pub mod api;
pub mod base;
pub mod cli;
pub mod client;
pub mod destination;
pub mod domain;
pub mod engine;
pub mod extension;
pub mod media;
pub mod platform;
pub mod store;
pub mod ui;
