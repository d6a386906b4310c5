//! Applications. faynoSync's clients send them as multipart forms.

use std::collections::BTreeMap;

use aide::OperationInput;
use aide::axum::routing::{delete_with, get_with, post_with};
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, ReferenceOr, RequestBody, SchemaObject};
use axum::Json;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use headcount_api::catalog::{AppCreated, AppDeleted, AppFields, AppList, AppRow, AppUpdated};
use schemars::{JsonSchema, json_schema};
use serde::Deserialize;

use crate::app::App;
use crate::catalog::kind::{Kind, ResourceName};
use crate::catalog::resources::{Draft, Resource};
use crate::catalog::rights::Right;
use crate::error::{Code, Error};
use crate::http::extract::{Params, Principal};
use crate::http::policy::{Policy, Routes};
use crate::http::query::truth;
use crate::http::render;
use crate::http::resources::{Which, described, update_id};

/// The longest description, in bytes.
const LONGEST_DESCRIPTION: usize = 2048;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/app/create", Policy::right(Kind::App, Right::Create), post_with(create, described("Create one app")))
        .route("/app/list", Policy::KNOWN, get_with(list, described("List every app in the order of creation")))
        .route(
            "/app/update",
            Policy::right(Kind::App, Right::Edit),
            post_with(update, described("Change or rename one app; what is not given stays")),
        )
        .route(
            "/app/delete",
            Policy::right(Kind::App, Right::Delete),
            delete_with(delete, described("Delete one app that has no releases")),
        )
}

async fn create(State(app): State<App>, caller: Principal, form: AppForm) -> Result<Json<AppCreated>, Error> {
    let id = app.catalog.create_resource(caller.reach(Kind::App), form.draft()?).await?;
    Ok(Json(AppCreated { id: id.to_string() }))
}

async fn list(State(app): State<App>, caller: Principal) -> Result<Json<AppList>, Error> {
    let apps = app.catalog.resources(caller.reach(Kind::App), Kind::App).await?;
    // faynoSync's clients expect `null` for an empty list.
    Ok(Json(AppList { apps: (!apps.is_empty()).then(|| apps.into_iter().map(row).collect()) }))
}

async fn update(State(app): State<App>, caller: Principal, form: AppForm) -> Result<Json<AppUpdated>, Error> {
    let id = form.0.id.as_deref().filter(|id| !id.is_empty());
    let id = update_id(id.ok_or_else(|| Error::invalid("id", "id is required"))?)?;
    app.catalog.update_resource(caller.reach(Kind::App), id, form.draft()?).await?;
    Ok(Json(AppUpdated { updated: true }))
}

async fn delete(
    State(app): State<App>,
    caller: Principal,
    Params(which): Params<Which>,
    Params(how): Params<HowToDelete>,
) -> Result<Json<AppDeleted>, Error> {
    let erases = how.erases()?;
    app.catalog.delete_resource(caller.reach(Kind::App), Kind::App, which.parse()?, erases).await?;
    if erases {
        // What fails here is tried again by the keeper: the app is deleted, and its erasure is written down.
        app.keeper.erase().await?;
    }
    Ok(Json(AppDeleted { deleted: 1 }))
}

/// What else goes with a deleted app.
#[derive(Debug, Deserialize, JsonSchema)]
struct HowToDelete {
    /// `true`: what was counted for it is erased as well.
    telemetry: Option<String>,
}

impl HowToDelete {
    fn erases(&self) -> Result<bool, Error> {
        let Some(given) = self.telemetry.as_deref().filter(|given| !given.is_empty()) else { return Ok(false) };
        let refused = || Error::invalid("telemetry", "invalid telemetry parameter").accepted("true or false");
        truth(given).ok_or_else(refused)
    }
}

fn row(app: Resource) -> AppRow {
    AppRow {
        id: app.id.to_string(),
        app_name: app.name,
        logo: app.logo,
        private: app.flags.private,
        tuf: app.flags.tuf,
        reports: app.flags.reports,
        cdn_edge: app.flags.cdn_edge,
        description: app.description,
        owner: app.owner,
        updated_at: render::moment(app.updated_at),
    }
}

/// The form: `data` is a JSON object of texts. A `file` (a logo, for faynoSync) has no place here.
struct AppForm(AppFields);

impl AppForm {
    fn draft(&self) -> Result<Draft, Error> {
        let fields = &self.0;
        let name = fields.app.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Error::invalid("app", "app is required"))?;
        let switch = |field: &'static str, given: &Option<String>| match given.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => truth(text).map(Some).ok_or_else(|| {
                Error::invalid(field, format!("invalid {field} parameter")).accepted("\"true\" or \"false\"")
            }),
        };
        Ok(Draft {
            name: ResourceName::parse(Kind::App, name)?,
            updaters: None,
            description: fields.description.as_deref().map(description).transpose()?,
            private: switch("private", &fields.private)?,
            tuf: switch("tuf", &fields.tuf)?,
            reports: switch("reports", &fields.reports)?,
            cdn_edge: switch("cdn", &fields.cdn)?,
        })
    }
}

fn description(text: &str) -> Result<String, Error> {
    let is_plain = text.chars().all(|char| !char.is_control() || matches!(char, '\n' | '\r' | '\t'));
    if text.len() > LONGEST_DESCRIPTION || !is_plain {
        return Err(Error::invalid("description", "invalid description parameter")
            .accepted("at most 2,048 bytes without control characters"));
    }
    Ok(text.to_owned())
}

impl FromRequest<App> for AppForm {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let no_form = || Error::invalid("data", "No JSON data provided").accepted("multipart/form-data");
        let mut parts = Multipart::from_request(request, app).await.map_err(|_| no_form())?;
        let mut fields: Option<BTreeMap<String, String>> = None;
        while let Some(part) = parts.next_field().await.map_err(|error| broken_form(&error))? {
            let name = part.name().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(|error| broken_form(&error))?;
            match name.as_str() {
                "data" => {
                    let refused = || Error::invalid("data", "Invalid JSON data").accepted("one JSON object of strings");
                    let parsed = serde_json::from_slice(&bytes).map_err(|_| refused())?;
                    if fields.replace(parsed).is_some() {
                        return Err(refused());
                    }
                }
                // Browsers send an empty file when none was chosen.
                "file" if !bytes.is_empty() => {
                    return Err(Error::invalid("file", "logos are not stored here").accepted("no file"));
                }
                _ => {}
            }
        }
        let mut fields = fields.ok_or_else(no_form)?;
        Ok(Self(AppFields {
            id: fields.remove("id"),
            app: fields.remove("app"),
            description: fields.remove("description"),
            private: fields.remove("private"),
            tuf: fields.remove("tuf"),
            reports: fields.remove("reports"),
            cdn: fields.remove("cdn"),
        }))
    }
}

fn broken_form(error: &MultipartError) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Error::new(Code::TooLarge, "request body is too large")
    } else {
        Error::invalid("body", "Invalid request body").accepted("multipart/form-data")
    }
}

impl OperationInput for AppForm {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let fields = ctx.schema.subschema_for::<AppFields>();
        let form = json_schema!({
            "type": "object",
            "required": ["data"],
            "properties": { "data": fields },
        });
        let media = MediaType {
            schema: Some(SchemaObject { json_schema: form, external_docs: None, example: None }),
            ..MediaType::default()
        };
        operation.request_body = Some(ReferenceOr::Item(RequestBody {
            description: Some(
                "A form whose part `data` is JSON text. Logos are not stored here: a part `file` has to be empty."
                    .to_owned(),
            ),
            content: [("multipart/form-data".to_owned(), media)].into_iter().collect(),
            required: true,
            ..RequestBody::default()
        }));
    }
}
