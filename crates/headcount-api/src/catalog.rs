//! Apps, channels, platforms and architectures, as faynoSync's clients write and read them.

use serde::{Deserialize, Serialize};

/// A way in which an update may be delivered on a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Updater {
    /// `manual`, `squirrel_darwin`, `squirrel_windows`, `sparkle`, `electron-builder`, `tauri` or `velopack`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it serves checks that name no updater. Exactly one of a platform does.
    #[serde(default)]
    pub default: bool,
}

macro_rules! part {
    (
        $noun:literal, $field:ident, results $created:literal $updated:literal $deleted:literal,
        $Create:ident { $($(#[$create_doc:meta])* $create_field:ident: $CreateType:ty,)* }
        $Update:ident { $($update_field:ident: $UpdateType:ty,)* }
        $Row:ident { $name_key:literal $(, $row_key:literal $row_field:ident: $RowType:ty)* }
        $List:ident { $rows:ident }
        $Created:ident $Updated:ident $Deleted:ident
    ) => {
        #[doc = concat!("A new ", $noun, ".")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $Create {
            /// Its name: letters, digits, `.`, `_` and `-`, at most 32, the first a letter or a digit.
            pub $field: String,
            $($(#[$create_doc])* pub $create_field: $CreateType,)*
        }

        #[doc = concat!("Changes to one ", $noun, ".")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $Update {
            /// Its id: 24 hex characters.
            pub id: String,
            /// Its name from now on. The old one stays an alias until another one takes it.
            pub $field: String,
            $(
                #[doc = concat!("Its ", stringify!($update_field), " from now on.")]
                pub $update_field: $UpdateType,
            )*
        }

        #[doc = concat!("One ", $noun, ".")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $Row {
            /// Its id.
            #[serde(rename = "ID")]
            pub id: String,
            /// Its name.
            #[serde(rename = $name_key)]
            pub name: String,
            $(
                #[doc = concat!("Its ", stringify!($row_field), ".")]
                #[serde(rename = $row_key)]
                pub $row_field: $RowType,
            )*
            /// The administrator whose it is.
            #[serde(rename = "Owner")]
            pub owner: String,
            /// When it was last written, as RFC 3339 with milliseconds.
            #[serde(rename = "Updated_at")]
            pub updated_at: String,
        }

        #[doc = concat!("Every ", $noun, " in the order of creation, or `null` when there is none.")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $List {
            /// The rows.
            pub $rows: Option<Vec<$Row>>,
        }

        #[doc = concat!("A ", $noun, " was created.")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $Created {
            /// Its id.
            #[serde(rename = $created)]
            pub id: String,
        }

        #[doc = concat!("A ", $noun, " was changed.")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $Updated {
            /// Always true.
            #[serde(rename = $updated)]
            pub updated: bool,
        }

        #[doc = concat!("A ", $noun, " was deleted.")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $Deleted {
            /// Always 1.
            #[serde(rename = $deleted)]
            pub deleted: u64,
        }
    };
}

part! {
    "channel", channel,
    results "createChannelResult.Created" "updateChannelResult.Updated" "deleteChannelResult.DeletedCount",
    CreateChannel {}
    UpdateChannel {}
    ChannelRow { "ChannelName" }
    ChannelList { channels }
    ChannelCreated ChannelUpdated ChannelDeleted
}

part! {
    "platform", platform,
    results "createPlatformResult.Created" "updatePlatformResult.Updated" "deletePlatformResult.DeletedCount",
    CreatePlatform {
        /// How updates are delivered on it; `manual` when nothing is given.
        #[serde(default)]
        updaters: Option<Vec<Updater>>,
    }
    UpdatePlatform { updaters: Vec<Updater>, }
    PlatformRow { "PlatformName", "Updaters" updaters: Vec<Updater> }
    PlatformList { platforms }
    PlatformCreated PlatformUpdated PlatformDeleted
}

part! {
    "architecture", arch,
    results "createArchResult.Created" "updateArchResult.Updated" "deleteArchResult.DeletedCount",
    CreateArch {}
    UpdateArch {}
    ArchRow { "ArchID" }
    ArchList { archs }
    ArchCreated ArchUpdated ArchDeleted
}

/// What is said of an app: every field is a text, also those that stand for a switch (`true` or `false`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppFields {
    /// Its id: needed to change one, unused to create one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name: letters, digits, spaces, `.`, `_` and `-`, at most 64, the first a letter or a digit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// A few words about it, at most 2,048 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Shown to faynoSync's clients; checks do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<String>,
    /// Shown to faynoSync's clients; checks do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuf: Option<String>,
    /// Shown to faynoSync's clients; checks do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<String>,
    /// Shown to faynoSync's clients; checks do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cdn: Option<String>,
}

/// One app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_excessive_bools, reason = "the wire format has four independent switches")]
pub struct AppRow {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub app_name: String,
    /// The address of its picture, or empty.
    pub logo: String,
    /// Whether downloads need permission.
    pub private: bool,
    /// Whether artifacts are signed by The Update Framework.
    pub tuf: bool,
    /// Whether crash reports are taken.
    pub reports: bool,
    /// Whether answers are published to a content delivery network.
    pub cdn_edge: bool,
    /// A few words about it.
    pub description: String,
    /// The administrator whose it is.
    pub owner: String,
    /// When it was last written, as RFC 3339 with milliseconds.
    #[serde(rename = "Updated_at")]
    pub updated_at: String,
}

/// Every app in the order of creation, or `null` when there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppList {
    /// The rows.
    pub apps: Option<Vec<AppRow>>,
}

/// An app was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppCreated {
    /// Its id.
    #[serde(rename = "createAppResult.Created")]
    pub id: String,
}

/// An app was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppUpdated {
    /// Always true.
    #[serde(rename = "updateAppResult.Updated")]
    pub updated: bool,
}

/// An app was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppDeleted {
    /// Always 1.
    #[serde(rename = "deleteAppResult.DeletedCount")]
    pub deleted: u64,
}
