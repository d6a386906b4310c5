//! The fact that is kept of a check or a beacon.

use std::ops::{Index, IndexMut};

use strum::EnumCount as _;

use crate::day::Millis;
use crate::device::Pseudonym;
use crate::dimension::{Dimension, Value};
use crate::id::{AppId, OwnerId};

/// One value, or none, for every dimension: what one event says, and the key under which requests are counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Values([Option<Value>; Dimension::COUNT]);

impl Values {
    /// The values by dimension.
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, &Value)> {
        Dimension::ALL
            .iter()
            .zip(&self.0)
            .filter_map(|(&dimension, value)| value.as_ref().map(|value| (dimension, value)))
    }
}

impl Index<Dimension> for Values {
    type Output = Option<Value>;

    fn index(&self, dimension: Dimension) -> &Option<Value> {
        &self.0[dimension as usize]
    }
}

impl IndexMut<Dimension> for Values {
    fn index_mut(&mut self, dimension: Dimension) -> &mut Option<Value> {
        &mut self.0[dimension as usize]
    }
}

/// What is kept of one accepted check or beacon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose data it is.
    pub owner: OwnerId,
    /// The application that asked.
    pub app: AppId,
    /// When it was accepted; its UTC day is the day under which it counts, for ever.
    pub at: Millis,
    /// Who asked.
    pub device: Pseudonym,
    /// What it said.
    pub values: Values,
}
