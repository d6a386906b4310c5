//! All integration tests: one binary, linked once. Every test enters through a door.

mod app;
mod http;
mod tidy;
