//! The newest published release of an app, for anyone who wants to download it.

use std::collections::BTreeMap;

use aide::axum::routing::get_with;
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use headcount_engine::id::{AppId, Id};
use headcount_engine::name::Link;
use headcount_engine::snapshot::{Artifact, NameIndex, OwnerCatalog};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{Code, Error};
use crate::http::extract::Params;
use crate::http::policy::{Policy, Routes};
use crate::http::search::{named, unknown};

/// The name of the package of a file without an extension.
const NO_EXTENSION: &str = "no-extension";

const SPACE_AND_CONTROLS: &AsciiSet = &CONTROLS.add(b' ');

pub(super) fn routes() -> Routes {
    Routes::new().route("/apps/latest", Policy::Anyone, get_with(latest, describe))
}

fn describe(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    operation
        .tag("catalog")
        .summary("Find the files of the newest published release of an app")
        .response_with::<302, (), _>(|response| response.description("Exactly one file is left: where it lies."))
        .response::<200, Json<Links>>()
}

/// Which files to find.
#[derive(Debug, Deserialize, JsonSchema)]
struct Wanted {
    /// The name of the app. Required.
    app_name: Option<String>,
    /// The name of the channel. Required.
    channel: Option<String>,
    /// The administrator whose app it is. Missing or empty: the default owner of this server.
    owner: Option<String>,
    /// The name of a platform.
    platform: Option<String>,
    /// The name of an architecture.
    arch: Option<String>,
    /// An extension without its leading dot, or `no-extension`.
    package: Option<String>,
}

/// Files by channel, platform, architecture and package.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(transparent)]
struct Links(BTreeMap<String, ByPlatform>);

type ByPlatform = BTreeMap<String, ByArch>;
type ByArch = BTreeMap<String, ByPackage>;
type ByPackage = BTreeMap<String, File>;

/// One file.
#[derive(Debug, Serialize, JsonSchema)]
struct File {
    /// Where it lies.
    url: String,
}

async fn latest(State(app): State<App>, Params(wanted): Params<Wanted>) -> Result<Response, Error> {
    let filled = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    if !filled(&wanted.app_name) || !filled(&wanted.channel) {
        return Err(Error::new(Code::Invalid, "Parameters 'app_name' and 'channel' are required"));
    }
    let snapshot = app.catalog.snapshot();
    let owner = wanted.owner.as_deref().filter(|owner| !owner.is_empty());
    let catalog = snapshot.owner_named(owner).ok_or_else(|| unknown("app_name"))?;
    match wanted.files(catalog)?.as_slice() {
        [] => Err(nothing()),
        [file] => redirect(&file.link),
        files => Ok(Json(links(catalog, wanted.channel_id(catalog)?, files)).into_response()),
    }
}

fn nothing() -> Error {
    Error::new(Code::NotFound, "No matching data found for the provided parameters")
}

impl Wanted {
    fn channel_id(&self, catalog: &OwnerCatalog) -> Result<Option<Id>, Error> {
        named(Some(&catalog.channels), "channel", self.channel.as_deref())
    }

    /// The wanted files of the newest published release.
    fn files<'a>(&self, catalog: &'a OwnerCatalog) -> Result<Vec<&'a Artifact>, Error> {
        let app = named(Some(&catalog.apps), "app_name", self.app_name.as_deref())?;
        let app = AppId(app.ok_or_else(|| unknown("app_name"))?);
        let channel = self.channel_id(catalog)?;
        let part = |index: &NameIndex, name: &Option<String>| match name.as_deref() {
            None | Some("") => Ok(None),
            Some(name) => index.resolve(name).map(Some).ok_or_else(nothing),
        };
        let platform = part(&catalog.platforms, &self.platform)?;
        let arch = part(&catalog.archs, &self.arch)?;
        let is_wanted = |file: &&Artifact| {
            (platform.is_none() || file.platform == platform)
                && (arch.is_none() || file.arch == arch)
                && self.package.as_deref().is_none_or(|wanted| wanted.is_empty() || wanted == package(file))
        };
        let release = catalog.newest_release(app, channel).ok_or_else(nothing)?;
        Ok(release.artifacts.iter().filter(is_wanted).collect())
    }
}

fn package(file: &Artifact) -> &str {
    match file.package.strip_prefix('.') {
        Some(extension) => extension,
        None => NO_EXTENSION,
    }
}

fn redirect(link: &Link) -> Result<Response, Error> {
    // Everything but printable ASCII is percent-encoded: links may hold spaces and letters of any language.
    let encoded = utf8_percent_encode(link.as_str(), SPACE_AND_CONTROLS).to_string();
    let target = HeaderValue::from_str(&encoded).map_err(Error::internal)?;
    Ok((StatusCode::FOUND, [(header::LOCATION, target)]).into_response())
}

fn links(catalog: &OwnerCatalog, channel: Option<Id>, files: &[&Artifact]) -> Links {
    let name = |index: &NameIndex, id: Option<Id>| match id.and_then(|id| index.name_of(id)) {
        Some(name) => name.to_string(),
        None => String::new(),
    };
    let mut links = Links::default();
    let by_platform = links.0.entry(name(&catalog.channels, channel)).or_default();
    for file in files {
        let by_arch = by_platform.entry(name(&catalog.platforms, file.platform)).or_default();
        let by_package = by_arch.entry(name(&catalog.archs, file.arch)).or_default();
        by_package.insert(package(file).to_owned(), File { url: file.link.to_string() });
    }
    links
}
