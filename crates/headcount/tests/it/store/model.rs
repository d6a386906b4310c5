//! Random histories of a store beside a plain model of the protocol.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use headcount::store::{Applied, BlobAt, Block, Compaction, DictionaryState, Step, Store};
use headcount_engine::day::{Day, Millis};
use headcount_engine::id::{AppId, OwnerId};
use headcount_engine::mark::{Mark, SpoolId};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::{ACME, ONE, OTHER, Place, Reader, TODAY, TWO, blob};

#[derive(Debug, Clone)]
enum Act {
    Apply { owner: OwnerId, spool: SpoolId, wrong_mark: bool, wrong_dictionary: bool, keep_mark: bool, brings: Brings },
    Compact { app: AppId, day: Day, remembered: bool },
    Rebuild { remembered: bool },
    Expire { owner: OwnerId, first: Day, age: i64, ahead: i64 },
    Erase { owner: OwnerId, app: Option<AppId> },
    SetAside { app: AppId, day: Day, which: usize },
    Remember,
    Follow,
    Reopen,
}

#[derive(Debug, Clone)]
struct Brings {
    devices: u8,
    deltas: BTreeSet<(AppId, Day)>,
    incomplete: Option<(AppId, Day)>,
    receipt: bool,
}

fn owner() -> impl Strategy<Value = OwnerId> {
    prop_oneof![3 => Just(ACME), 1 => Just(OTHER)]
}

fn app() -> impl Strategy<Value = AppId> {
    prop_oneof![Just(ONE), Just(TWO)]
}

fn day() -> impl Strategy<Value = Day> {
    (0..3_i32).prop_map(|ago| TODAY.plus(-ago))
}

fn act() -> impl Strategy<Value = Act> {
    let brings = (0..3_u8, proptest::collection::btree_set((app(), day()), 0..4), any::<bool>()).prop_flat_map(
        |(devices, deltas, receipt)| {
            proptest::option::weighted(0.2, (app(), day())).prop_map(move |incomplete| Brings {
                devices,
                deltas: deltas.clone(),
                incomplete,
                receipt,
            })
        },
    );
    let seldom = || proptest::bool::weighted(0.15);
    let apply = (owner(), 7..9_u8, seldom(), seldom(), seldom(), brings).prop_map(
        |(owner, spool, wrong_mark, wrong_dictionary, keep_mark, brings)| Act::Apply {
            owner,
            spool: SpoolId([spool; 16]),
            wrong_mark,
            wrong_dictionary,
            keep_mark,
            brings,
        },
    );
    prop_oneof![
        12 => apply,
        3 => (app(), day(), any::<bool>()).prop_map(|(app, day, remembered)| Act::Compact { app, day, remembered }),
        2 => any::<bool>().prop_map(|remembered| Act::Rebuild { remembered }),
        1 => (owner(), day(), 0..20_i64, 0..10_i64)
            .prop_map(|(owner, first, age, ahead)| Act::Expire { owner, first, age, ahead }),
        1 => (owner(), proptest::option::weighted(0.7, app())).prop_map(|(owner, app)| Act::Erase { owner, app }),
        1 => (app(), day(), 0..4_usize).prop_map(|(app, day, which)| Act::SetAside { app, day, which }),
        3 => Just(Act::Remember),
        3 => Just(Act::Follow),
        1 => Just(Act::Reopen),
    ]
}

#[derive(Debug, Default)]
struct Owner {
    marks: BTreeMap<SpoolId, (Mark, i64)>,
    receipts: BTreeMap<(SpoolId, u64), (Mark, Vec<u8>, i64)>,
    dictionary: DictionaryState,
    blocks: Vec<Block>,
    segments: BTreeMap<(AppId, Day), Vec<u64>>,
    incomplete: BTreeSet<(AppId, Day)>,
    expired: BTreeMap<(AppId, Day), i64>,
    erased: BTreeMap<Option<AppId>, i64>,
}

impl Owner {
    fn apply(&mut self, step: &Step, numbers: &[u64]) -> Applied {
        let mark = self.marks.get(&step.spool).map(|&(mark, _)| mark);
        if mark != step.expected_mark {
            return Applied::MarkMoved(mark);
        }
        if let Some(mark) = step.mark
            && self.erased.contains_key(&None)
        {
            self.marks.insert(step.spool, (mark, step.at.0));
        }
        if self.erased.contains_key(&None) {
            return Applied::Yes;
        }
        if self.dictionary != step.expected_dictionary {
            return Applied::DictionaryMoved(self.dictionary);
        }
        if let Some(block) = &step.block {
            self.dictionary.last_block = block.id;
            self.blocks.push(block.clone());
        }
        for ((app, day, _), number) in step.deltas.iter().zip(numbers) {
            let is_expired = self.expired.get(&(*app, *day)).is_some_and(|&at| at > step.at.0);
            if !is_expired && !self.erased.contains_key(&Some(*app)) {
                self.segments.entry((*app, *day)).or_default().push(*number);
            }
        }
        self.incomplete.extend(step.incomplete.iter().filter(|(app, _)| !self.erased.contains_key(&Some(*app))));
        for (mark, bytes) in &step.receipts {
            self.receipts.entry((step.spool, mark.row)).or_insert_with(|| (*mark, bytes.clone(), step.at.0));
        }
        if let Some(mark) = step.mark {
            self.marks.insert(step.spool, (mark, step.at.0));
        }
        Applied::Yes
    }

    fn expire(&mut self, first: Day, before: i64, at: i64) {
        self.expired.extend(self.segments.keys().filter(|(_, day)| *day < first).map(|&key| (key, at)));
        self.segments.retain(|&(_, day), _| day >= first);
        self.incomplete.retain(|&(_, day)| day >= first);
        self.marks.retain(|_, &mut (_, at)| at >= before);
        self.receipts.retain(|_, &mut (.., at)| at >= before);
        self.erased.retain(|_, &mut at| at >= before);
    }

    fn erase(&mut self, app: Option<AppId>, at: i64) {
        self.segments.retain(|&(of, _), _| app.is_some_and(|app| of != app));
        self.incomplete.retain(|&(of, _)| app.is_some_and(|app| of != app));
        self.expired.retain(|&(of, _), _| app.is_some_and(|app| of != app));
        if app.is_none() {
            self.receipts.clear();
            self.blocks.clear();
            self.dictionary = DictionaryState::default();
        }
        self.erased.insert(app, at);
    }
}

/// A store, the model of what it must hold, and what was remembered of it.
struct History {
    place: Place,
    store: Store,
    owners: BTreeMap<OwnerId, Owner>,
    followers: BTreeMap<OwnerId, Reader>,
    remembered: (DictionaryState, Reader),
    turn: i64,
}

impl History {
    async fn new(place: Place) -> Self {
        let store = place.open().await;
        let owners = [ACME, OTHER].map(|owner| (owner, Owner::default())).into();
        Self { place, store, owners, followers: BTreeMap::new(), remembered: Default::default(), turn: TODAY.start().0 }
    }

    async fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        self.turn += 1;
        match act {
            Act::Apply { owner, spool, wrong_mark, wrong_dictionary, keep_mark, brings } => {
                let (step, numbers) = self.step(owner, spool, &brings, keep_mark);
                let step = Step {
                    expected_mark: step.expected_mark.filter(|_| !wrong_mark),
                    expected_dictionary: if wrong_dictionary {
                        DictionaryState::default()
                    } else {
                        step.expected_dictionary
                    },
                    ..step
                };
                let expected = self.owners.get_mut(&owner).unwrap().apply(&step, &numbers);
                prop_assert_eq!(self.store.apply(owner, step).await.unwrap(), expected);
            }
            Act::Compact { app, day, remembered } => self.compact(app, day, remembered).await?,
            Act::Rebuild { remembered } => self.rebuild(remembered).await?,
            Act::Expire { owner, first, age, ahead } => {
                let (before, at) = (self.turn - age, self.turn + ahead);
                self.owners.get_mut(&owner).unwrap().expire(first, before, at);
                self.store.expire(owner, first, Millis(before), Millis(at)).await.unwrap();
            }
            Act::Erase { owner, app } => {
                self.owners.get_mut(&owner).unwrap().erase(app, self.turn);
                self.store.erase(owner, app, Millis(self.turn)).await.unwrap();
            }
            Act::SetAside { app, day, which } => self.set_aside(app, day, which).await,
            Act::Remember => {
                let dictionary = self.owners[&ACME].dictionary;
                self.remembered = (dictionary, Reader::fresh(&self.store, ACME).await);
            }
            Act::Follow => self.follow().await?,
            Act::Reopen => self.store = self.place.open().await,
        }
        self.compare().await
    }

    /// The step that follows what the model holds.
    fn step(&self, owner: OwnerId, spool: SpoolId, brings: &Brings, keep_mark: bool) -> (Step, Vec<u64>) {
        let (model, turn) = (&self.owners[&owner], self.turn as u64);
        let expected_mark = model.marks.get(&spool).map(|&(mark, _)| mark);
        let next = Mark { row: expected_mark.map_or(0, |mark| mark.row + 1), tag: turn.to_le_bytes() };
        let numbers: Vec<u64> = (0..brings.deltas.len() as u64).map(|at| turn * 10 + at).collect();
        let deltas = brings.deltas.iter().zip(&numbers).map(|(&(app, day), &number)| (app, day, blob(&[number])));
        let pseudonyms = (0..brings.devices).map(|_| headcount_engine::device::Pseudonym(rand::random())).collect();
        let step = Step {
            spool,
            expected_mark,
            mark: (!keep_mark).then_some(next),
            expected_dictionary: model.dictionary,
            erased: None,
            block: (brings.devices > 0).then(|| Block { id: rand::random(), pseudonyms }),
            deltas: deltas.collect(),
            incomplete: brings.incomplete.into_iter().collect(),
            receipts: if brings.receipt { vec![(next, turn.to_le_bytes().to_vec())] } else { Vec::new() },
            at: Millis(self.turn),
        };
        (step, numbers)
    }

    async fn reader(&self, remembered: bool) -> (DictionaryState, Reader) {
        if remembered {
            return self.remembered.clone();
        }
        (self.owners[&ACME].dictionary, Reader::fresh(&self.store, ACME).await)
    }

    async fn compact(&mut self, app: AppId, day: Day, remembered: bool) -> Result<(), TestCaseError> {
        let (now, (_, reader)) = (Reader::fresh(&self.store, ACME).await, self.reader(remembered).await);
        let Some(&from) = reader.known.get(&(app, day)) else { return Ok(()) };
        let unchanged =
            now.known.get(&(app, day)).is_some_and(|now| (now.epoch, now.generation) == (from.epoch, from.generation));
        // A segment that went and came again is another one.
        let continues = now.held.get(&(app, day)).is_some_and(|now| now.starts_with(&reader.held[&(app, day)]));
        prop_assert!(!unchanged || continues);
        let compaction: Compaction = reader.compaction(app, day);
        prop_assert_eq!(self.store.compact(compaction).await.unwrap(), unchanged);
        Ok(())
    }

    async fn rebuild(&mut self, remembered: bool) -> Result<(), TestCaseError> {
        let (now, (dictionary, reader)) = (Reader::fresh(&self.store, ACME).await, self.reader(remembered).await);
        let model = self.owners.get_mut(&ACME).unwrap();
        let unchanged = now.known == reader.known && model.dictionary == dictionary;
        prop_assert!(!unchanged || now.held == reader.held);
        let exists = store_has_dictionary(&model.dictionary);
        let blocks: Vec<Block> = model.blocks.iter().step_by(2).cloned().collect();
        let rebuilt = self.store.rebuild(reader.rebuild(dictionary, blocks.clone())).await.unwrap();
        prop_assert_eq!(rebuilt, unchanged && exists);
        if rebuilt {
            let last_block = blocks.last().map_or([0; 8], |block| block.id);
            model.dictionary = DictionaryState { epoch: dictionary.epoch + 1, last_block };
            model.blocks = blocks;
        }
        Ok(())
    }

    async fn set_aside(&mut self, app: AppId, day: Day, which: usize) {
        let view = self.store.load(ACME, day..=day, HashMap::new()).await.unwrap();
        let Some(segment) = view.segments.iter().find(|segment| segment.app == app) else { return };
        let pieces = segment.base.iter().flat_map(|base| &base.pieces);
        let Some(bad) = pieces.chain(&segment.deltas).nth(which) else { return };
        self.store.set_aside(ACME, app, day, bad.at).await.unwrap();
        let gone = super::numbers(&bad.bytes);
        let model = self.owners.get_mut(&ACME).unwrap();
        model.segments.get_mut(&(app, day)).unwrap().retain(|number| !gone.contains(number));
        model.incomplete.insert((app, day));
        // Who has read it before keeps it: readers are only asked to follow what is whole.
        assert!(matches!(bad.at, BlobAt::Delta(_) | BlobAt::Piece(..)));
        self.followers.clear();
        self.remembered = Default::default();
    }

    async fn follow(&mut self) -> Result<(), TestCaseError> {
        for (&owner, model) in &self.owners {
            let follower = self.followers.entry(owner).or_default();
            follower.read(&self.store, owner).await;
            prop_assert_eq!(&follower.held, &model.segments);
        }
        Ok(())
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        for (&owner, model) in &self.owners {
            let fresh = Reader::fresh(&self.store, owner).await;
            prop_assert_eq!(&fresh.held, &model.segments);
            let incomplete = model.incomplete.iter().chain(model.expired.keys()).copied().collect();
            prop_assert_eq!(&fresh.incomplete, &incomplete);
            let tail = self.store.dictionary(owner, DictionaryState::default()).await.unwrap();
            prop_assert_eq!((tail.state, &tail.blocks), (model.dictionary, &model.blocks));
            for (&(spool, row), (mark, bytes, _)) in &model.receipts {
                prop_assert_eq!(self.store.receipt(owner, spool, row).await.unwrap(), Some((*mark, bytes.clone())));
            }
        }
        for spool in [7, 8].map(|spool| SpoolId([spool; 16])) {
            let marks = self.store.marks(spool).await.unwrap();
            let expected: HashMap<OwnerId, Mark> =
                self.owners.iter().filter_map(|(&owner, model)| Some((owner, model.marks.get(&spool)?.0))).collect();
            prop_assert_eq!(marks, expected);
        }
        Ok(())
    }
}

/// A dictionary that never had a block is none, and there is nothing to rebuild.
fn store_has_dictionary(state: &DictionaryState) -> bool {
    *state != DictionaryState::default()
}

pub(super) fn any_history_is_that_of_the_model(fresh: impl Fn() -> Place) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(acts in proptest::collection::vec(act(), 1..40))| {
        runtime.block_on(async {
            let mut history = History::new(fresh()).await;
            for act in acts {
                history.act(act).await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    });
}
