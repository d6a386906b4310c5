//! Names that change: an old one stays an alias until a resource of the kind takes it.

use headcount_engine::id::Id;
use serde_json::json;

use crate::app::{Caller, TestApp};

/// What the owner's catalog says of names of one kind, as checks and filters ask it.
struct Names<'a> {
    app: &'a TestApp,
    owner: &'static str,
    kind: &'static str,
}

impl Names<'_> {
    fn with<T>(&self, read: impl Fn(&headcount_engine::snapshot::NameIndex) -> T) -> T {
        let snapshot = self.app.app.catalog.snapshot();
        let owner = snapshot.owner_named(Some(self.owner)).unwrap();
        match self.kind {
            "app" => read(&owner.apps),
            "channel" => read(&owner.channels),
            "platform" => read(&owner.platforms),
            _ => read(&owner.archs),
        }
    }

    /// The resource that a check means by the name.
    fn checked(&self, name: &str) -> Option<String> {
        self.with(|index| index.resolve(name).map(|id| id.to_string()))
    }

    /// The resources that a filter means by the name.
    fn filtered(&self, name: &str) -> Vec<String> {
        self.with(|index| index.matching(name).iter().map(Id::to_string).collect())
    }

    fn shown(&self, id: &str) -> String {
        self.with(|index| index.name_of(id.parse().unwrap()).unwrap().to_string())
    }
}

async fn create(caller: &Caller<'_>, kind: &str, name: &str) -> String {
    if kind == "app" { caller.app(name).await } else { caller.part(kind, name).await }
}

async fn rename(caller: &Caller<'_>, kind: &str, id: &str, name: &str) {
    let path = format!("/{kind}/update");
    let reply = match kind {
        "app" => caller.form(&path, &json!({"id": id, "app": name})).await,
        "platform" => {
            let updaters = json!([{"type": "manual", "default": true}]);
            caller.post(&path, &json!({"id": id, "platform": name, "updaters": updaters})).await
        }
        _ => caller.post(&path, &json!({"id": id, kind: name})).await,
    };
    assert_eq!(reply.status, 200, "{reply:?}");
}

async fn delete(caller: &Caller<'_>, kind: &str, id: &str) {
    let reply = caller.delete(&format!("/{kind}/delete?id={id}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

const KINDS: [&str; 4] = ["app", "channel", "platform", "arch"];

#[tokio::test]
async fn a_chain_of_renames_keeps_every_name() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    for kind in KINDS {
        let names = Names { app: &app, owner: "alice", kind };
        let id = create(&alice, kind, "a").await;
        rename(&alice, kind, &id, "b").await;
        rename(&alice, kind, &id, "c").await;
        for name in ["a", "b", "c"] {
            assert_eq!(names.checked(name), Some(id.clone()), "{kind} {name}");
            assert_eq!(names.filtered(name), std::slice::from_ref(&id), "{kind} {name}");
        }
        assert_eq!(names.shown(&id), "c");

        // Back again: `a` is its name and no alias of anything.
        rename(&alice, kind, &id, "a").await;
        rename(&alice, kind, &id, "a").await;
        for name in ["a", "b", "c"] {
            assert_eq!(names.checked(name), Some(id.clone()), "{kind} {name}");
        }
        assert_eq!(names.shown(&id), "a");
        let other = create(&alice, kind, "b").await;
        assert_eq!(names.checked("b"), Some(other), "{kind}");
    }
}

#[tokio::test]
async fn who_takes_an_old_name_has_it() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    for kind in KINDS {
        let names = Names { app: &app, owner: "alice", kind };
        let first = create(&alice, kind, "a").await;
        rename(&alice, kind, &first, "b").await;

        // By creation.
        let second = create(&alice, kind, "a").await;
        assert_eq!(names.checked("a"), Some(second.clone()), "{kind}");
        assert_eq!(names.filtered("a"), std::slice::from_ref(&second), "{kind}");
        assert_eq!(names.filtered("b"), std::slice::from_ref(&first), "{kind}");

        // It gives the name up: it is its alias now, not that of the first one.
        rename(&alice, kind, &second, "z").await;
        assert_eq!(names.checked("a"), Some(second.clone()), "{kind}");

        // By rename.
        let third = create(&alice, kind, "y").await;
        rename(&alice, kind, &third, "a").await;
        assert_eq!(names.checked("a"), Some(third.clone()), "{kind}");
        assert_eq!(names.checked("y"), Some(third.clone()), "{kind}");
        assert_eq!(names.checked("z"), Some(second), "{kind}");

        // The first one takes its own first name back when it is free again.
        rename(&alice, kind, &third, "x").await;
        rename(&alice, kind, &first, "a").await;
        assert_eq!(names.checked("a"), Some(first.clone()), "{kind}");
        assert_eq!(names.checked("b"), Some(first), "{kind}");
        assert_eq!(names.checked("x"), Some(third), "{kind}");
    }
}

#[tokio::test]
async fn a_refused_rename_changes_no_alias() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let names = Names { app: &app, owner: "alice", kind: "channel" };
    let first = alice.part("channel", "a").await;
    rename(&alice, "channel", &first, "b").await;
    let second = alice.part("channel", "c").await;
    let reply = alice.post("/channel/update", &json!({"id": second, "channel": "b"})).await;
    assert_eq!(reply.status, 409);
    assert_eq!([names.checked("a"), names.checked("b")], [Some(first.clone()), Some(first)]);
    assert_eq!(names.checked("c"), Some(second));
}

#[tokio::test]
async fn a_deleted_resource_answers_no_check_and_is_still_found_by_its_last_name() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    for kind in KINDS {
        let names = Names { app: &app, owner: "alice", kind };
        let first = create(&alice, kind, "a").await;
        rename(&alice, kind, &first, "b").await;
        delete(&alice, kind, &first).await;
        assert_eq!([names.checked("a"), names.checked("b")], [None, None], "{kind}");
        assert_eq!(names.filtered("b"), std::slice::from_ref(&first), "{kind}");
        assert_eq!(names.shown(&first), "b");

        // Created anew under the same name: a filter means both, a check the living one.
        let second = create(&alice, kind, "b").await;
        assert_eq!(names.checked("b"), Some(second.clone()), "{kind}");
        assert_eq!(names.filtered("b"), [first.clone(), second.clone()], "{kind}");

        // The living one moves on: the old name means it for checks, and both for filters.
        rename(&alice, kind, &second, "c").await;
        assert_eq!(names.checked("b"), Some(second.clone()), "{kind}");
        assert_eq!(names.filtered("b"), [first, second.clone()], "{kind}");
        assert_eq!(names.filtered("c"), [second], "{kind}");
    }
}

#[tokio::test]
async fn the_names_of_another_owner_are_not_touched() {
    let app = TestApp::start().await;
    let alice = Caller::new(&app, "alice").await;
    let bob = Caller::new(&app, "bob").await;
    for kind in KINDS {
        let names = Names { app: &app, owner: "alice", kind };
        let of_alice = create(&alice, kind, "a").await;
        rename(&alice, kind, &of_alice, "b").await;
        let of_bob = create(&bob, kind, "a").await;
        rename(&bob, kind, &of_bob, "b").await;
        delete(&bob, kind, &of_bob).await;
        create(&bob, kind, "a").await;
        assert_eq!([names.checked("a"), names.checked("b")], [Some(of_alice.clone()), Some(of_alice)], "{kind}");
    }
}
