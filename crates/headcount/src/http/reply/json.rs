//! The default format.

use headcount_api::check::{CheckReply, LINK, Rollout};
use headcount_engine::check::{Decision, Standing};
use headcount_engine::snapshot::{Artifact, Offer};

/// Extensions of files that serve other files: no client downloads them by itself.
const LEFT_OUT: [&str; 2] = ["blockmap", "nupkg"];

/// The answer to a check.
pub(in crate::http) fn reply(decision: &Decision<'_>) -> CheckReply {
    let (offer, release) = (decision.offer, &decision.offer.release);
    let changelog = || (!release.changelog.is_empty()).then(|| format!("{}\n", release.changelog));
    let reply = CheckReply {
        changelog: None,
        critical: false,
        is_intermediate_required: None,
        possible_rollback: None,
        rollout: None,
        signature: signature(offer),
        update_available: false,
        links: downloads(offer).map(|(extension, artifact)| (key(extension), artifact.link.to_string())).collect(),
    };
    match decision.standing {
        Standing::Behind { required } => CheckReply {
            changelog: changelog(),
            critical: release.critical,
            is_intermediate_required: required.then_some(true),
            rollout: rollout(offer),
            update_available: true,
            ..reply
        },
        Standing::Latest => CheckReply { possible_rollback: Some(false), ..reply },
        Standing::Ahead => {
            CheckReply { changelog: changelog(), critical: release.critical, possible_rollback: Some(true), ..reply }
        }
    }
}

/// The files that clients download, by extension without its dot.
fn downloads(offer: &Offer) -> impl Iterator<Item = (&str, &Artifact)> {
    offer.artifacts().filter_map(|artifact| {
        let extension = artifact.package.strip_prefix('.').unwrap_or(&artifact.package);
        (!LEFT_OUT.contains(&extension)).then_some((extension, artifact))
    })
}

fn key(extension: &str) -> String {
    if extension.is_empty() { LINK.to_owned() } else { format!("{LINK}_{extension}") }
}

fn signature(offer: &Offer) -> Option<String> {
    let signatures = downloads(offer).filter_map(|(_, artifact)| artifact.signature.as_deref());
    signatures.filter(|signature| !signature.is_empty()).last().map(str::to_owned)
}

fn rollout(offer: &Offer) -> Option<Rollout> {
    let release = &offer.release;
    (release.rollout_percent < 100)
        .then(|| Rollout { percent: release.rollout_percent, seed: release.rollout_seed.to_string() })
}
