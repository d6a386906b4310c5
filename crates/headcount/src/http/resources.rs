//! Channels, platforms and architectures: one path through the code, three wire formats.

use aide::axum::routing::{delete_with, get_with, post_with};
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::State;
use headcount_api::catalog as wire;
use headcount_engine::id::{BadId, Id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::catalog::kind::{Kind, ResourceName};
use crate::catalog::resources::{Draft, Resource};
use crate::catalog::rights::Right;
use crate::catalog::updaters::Updaters;
use crate::error::Error;
use crate::http::extract::{Body, Params, Principal, RequestBody};
use crate::http::policy::{Policy, Routes};
use crate::http::render;

pub(super) fn routes() -> Routes {
    Routes::new()
        .merge(routes_of::<Channel>(["/channel/create", "/channel/list", "/channel/update", "/channel/delete"]))
        .merge(routes_of::<Platform>(["/platform/create", "/platform/list", "/platform/update", "/platform/delete"]))
        .merge(routes_of::<Arch>(["/arch/create", "/arch/list", "/arch/update", "/arch/delete"]))
}

fn routes_of<P: Part>([create_path, list_path, update_path, delete_path]: [&str; 4]) -> Routes {
    let noun = P::KIND.as_str();
    let right = |right| Policy::right(P::KIND, right);
    Routes::new()
        .route(create_path, right(Right::Create), post_with(create::<P>, described(format!("Create one {noun}"))))
        .route(
            list_path,
            Policy::KNOWN,
            get_with(list::<P>, described(format!("List every {noun} in the order of creation"))),
        )
        .route(
            update_path,
            right(Right::Edit),
            post_with(update::<P>, described(format!("Change or rename one {noun}"))),
        )
        .route(
            delete_path,
            right(Right::Delete),
            delete_with(delete::<P>, described(format!("Delete one {noun} that no release refers to"))),
        )
}

/// The description of an operation on the catalog.
pub(super) fn described(summary: impl Into<String>) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    let summary = summary.into();
    move |operation| operation.tag("catalog").summary(&summary)
}

/// A kind of resource with its wire format.
trait Part: Send + Sync + 'static {
    const KIND: Kind;
    type Create: RequestBody + JsonSchema + Send + 'static;
    type Update: RequestBody + JsonSchema + Send + 'static;
    type List: Serialize + JsonSchema + Send + 'static;
    type Created: Serialize + JsonSchema + Send + 'static;
    type Updated: Serialize + JsonSchema + Send + 'static;
    type Deleted: Serialize + JsonSchema + Send + 'static;

    fn created(create: Self::Create) -> Result<Draft, Error>;
    fn updated(update: Self::Update) -> Result<(Id, Draft), Error>;
    fn list(rows: Vec<Resource>) -> Self::List;
    fn create_reply(id: Id) -> Self::Created;
    const UPDATED: Self::Updated;
    const DELETED: Self::Deleted;
}

async fn create<P: Part>(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<P::Create>,
) -> Result<Json<P::Created>, Error> {
    let id = app.catalog.create_resource(caller.reach(P::KIND), P::created(body)?).await?;
    Ok(Json(P::create_reply(id)))
}

async fn list<P: Part>(State(app): State<App>, caller: Principal) -> Result<Json<P::List>, Error> {
    Ok(Json(P::list(app.catalog.resources(caller.reach(P::KIND), P::KIND).await?)))
}

async fn update<P: Part>(
    State(app): State<App>,
    caller: Principal,
    Body(body): Body<P::Update>,
) -> Result<Json<P::Updated>, Error> {
    let (id, draft) = P::updated(body)?;
    app.catalog.update_resource(caller.reach(P::KIND), id, draft).await?;
    Ok(Json(P::UPDATED))
}

async fn delete<P: Part>(
    State(app): State<App>,
    caller: Principal,
    Params(which): Params<Which>,
) -> Result<Json<P::Deleted>, Error> {
    app.catalog.delete_resource(caller.reach(P::KIND), P::KIND, which.parse()?, false).await?;
    Ok(Json(P::DELETED))
}

/// Which one to delete.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Which {
    /// Its id: 24 hex characters.
    id: Option<String>,
}

impl Which {
    /// The id.
    pub(super) fn parse(&self) -> Result<Id, Error> {
        let refused = |error: BadId| Error::invalid("id", error.to_string()).accepted(ACCEPTED_ID);
        self.id.as_deref().unwrap_or_default().parse().map_err(refused)
    }
}

/// The accepted form of an id.
pub(super) const ACCEPTED_ID: &str = "24 lowercase hex characters";

/// The id in the body of an update.
pub(super) fn update_id(text: &str) -> Result<Id, Error> {
    text.parse().map_err(|_: BadId| Error::invalid("id", "invalid id format").accepted(ACCEPTED_ID))
}

fn rows<R>(resources: Vec<Resource>, row: impl Fn(Resource) -> R) -> Option<Vec<R>> {
    // faynoSync's clients expect `null` for an empty list.
    (!resources.is_empty()).then(|| resources.into_iter().map(row).collect())
}

macro_rules! part {
    (
        $Part:ident, $field:ident, $rows:ident,
        $Create:ident $Update:ident $List:ident $Row:ident $Created:ident $Updated:ident $Deleted:ident,
        create: |$created:ident| $create_updaters:expr,
        update: |$updated:ident| $update_updaters:expr,
        row: |$resource:ident| { $($row_field:ident: $row_value:expr)? }
    ) => {
        struct $Part;

        impl RequestBody for wire::$Create {}
        impl RequestBody for wire::$Update {}

        impl Part for $Part {
            const KIND: Kind = Kind::$Part;
            type Create = wire::$Create;
            type Update = wire::$Update;
            type List = wire::$List;
            type Created = wire::$Created;
            type Updated = wire::$Updated;
            type Deleted = wire::$Deleted;

            fn created($created: wire::$Create) -> Result<Draft, Error> {
                let name = ResourceName::parse(Kind::$Part, &$created.$field)?;
                Ok(Draft { updaters: $create_updaters, ..Draft::named(name) })
            }

            fn updated($updated: wire::$Update) -> Result<(Id, Draft), Error> {
                let id = update_id(&$updated.id)?;
                let name = ResourceName::parse(Kind::$Part, &$updated.$field)?;
                Ok((id, Draft { updaters: $update_updaters, ..Draft::named(name) }))
            }

            fn list(resources: Vec<Resource>) -> wire::$List {
                let $rows = rows(resources, |$resource| wire::$Row {
                    $($row_field: $row_value,)?
                    id: $resource.id.to_string(),
                    updated_at: render::moment($resource.updated_at),
                    name: $resource.name,
                    owner: $resource.owner,
                });
                wire::$List { $rows }
            }

            fn create_reply(id: Id) -> wire::$Created {
                wire::$Created { id: id.to_string() }
            }

            const UPDATED: wire::$Updated = wire::$Updated { updated: true };
            const DELETED: wire::$Deleted = wire::$Deleted { deleted: 1 };
        }
    };
}

part! {
    Channel, channel, channels,
    CreateChannel UpdateChannel ChannelList ChannelRow ChannelCreated ChannelUpdated ChannelDeleted,
    create: |body| None,
    update: |body| None,
    row: |resource| {}
}

part! {
    Platform, platform, platforms,
    CreatePlatform UpdatePlatform PlatformList PlatformRow PlatformCreated PlatformUpdated PlatformDeleted,
    create: |body| Some(match body.updaters.filter(|given| !given.is_empty()) {
        Some(given) => Updaters::parse(given)?,
        None => Updaters::default(),
    }),
    update: |body| Some(Updaters::parse(body.updaters)?),
    row: |resource| { updaters: resource.updaters.as_slice().to_vec() }
}

part! {
    Arch, arch, archs,
    CreateArch UpdateArch ArchList ArchRow ArchCreated ArchUpdated ArchDeleted,
    create: |body| None,
    update: |body| None,
    row: |resource| {}
}
