//! Tests that enter by HTTP.

mod layers;
