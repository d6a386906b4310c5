//! One renderer for each format in which update clients want the answer to a check.

pub(super) mod json;
