//! What is shipped to a store in one go.

use headcount_engine::day::{Day, Millis};
use headcount_engine::id::AppId;
use headcount_engine::mark::{Mark, SpoolId};

use super::{Block, DictionaryState, Erasure};

/// One step of an owner: what follows a mark, folded.
#[derive(Debug, Clone)]
pub struct Step {
    /// The spool that it comes from.
    pub spool: SpoolId,
    /// The owner's mark for this spool that the step follows; `None` where there is none.
    pub expected_mark: Option<Mark>,
    /// The mark afterwards; `None` leaves it as it is.
    pub mark: Option<Mark>,
    /// The state of the dictionary that the ordinals belong to.
    pub expected_dictionary: DictionaryState,
    /// The pseudonyms that join it; at most [`MOST_NEW_PSEUDONYMS`].
    pub block: Option<Block>,
    /// The device that its block is the hole of, as of the moment of the step.
    pub erased: Option<Erasure>,
    /// Sealed segments to be merged into those of their app and day.
    pub deltas: Vec<(AppId, Day, Vec<u8>)>,
    /// Days that are known to lack something.
    pub incomplete: Vec<(AppId, Day)>,
    /// What an import is answered for its rows, so that a repeated one is answered alike.
    pub receipts: Vec<(Mark, Vec<u8>)>,
    /// The moment of the step.
    pub at: Millis,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is in the store.
    Yes,
    /// The mark is another one: somebody else shipped, or the store lost something.
    MarkMoved(Option<Mark>),
    /// The dictionary has another state.
    DictionaryMoved(DictionaryState),
}

impl Step {
    /// A step of a spool that expects and brings nothing yet.
    pub fn empty(spool: SpoolId, at: Millis) -> Self {
        Self {
            spool,
            expected_mark: None,
            mark: None,
            expected_dictionary: DictionaryState::default(),
            block: None,
            erased: None,
            deltas: Vec::new(),
            incomplete: Vec::new(),
            receipts: Vec::new(),
            at,
        }
    }

    /// The same for what comes from no spool, and so moves no mark.
    pub fn of_no_spool(at: Millis) -> Self {
        Self::empty(SpoolId([0; 16]), at)
    }
}
