//! The reply to `GET /checkVersion` in the default format.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// What the catalog answers to a check. Fields that do not apply are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckReply {
    /// What changed in the offered version, each entry with a line break behind it. Absent when the device runs the
    /// latest version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog: Option<String>,
    /// Whether the client should insist on the update.
    pub critical: bool,
    /// `true` where the offered version is one that may not be skipped; otherwise absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_intermediate_required: Option<bool>,
    /// Whether the device runs a version above the latest one. Absent when an update is available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub possible_rollback: Option<bool>,
    /// Whom the update is for, where it is not for everyone: the client decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The signature of the offered file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Whether there is a version above the one that the device runs.
    pub update_available: bool,
    /// Where the files of the version are: `update_url` for one without an extension, `update_url_dmg` for a `.dmg`.
    #[serde(flatten, deserialize_with = "links")]
    pub links: BTreeMap<String, String>,
}

/// The name of a link's field, before `_` and the extension.
pub const LINK: &str = "update_url";

/// A staged rollout. A device is included when the first 8 bytes (big-endian) of SHA-256 of `device id:seed`, modulo
/// 100, are below `percent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rollout {
    /// The share of devices that the version is offered to: 0 to 99.
    pub percent: u8,
    /// Which devices these are.
    pub seed: String,
}

/// The links among fields of which a later server may add more.
fn links<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Field {
        Text(String),
        Else(IgnoredAny),
    }

    struct Links;

    impl<'de> Visitor<'de> for Links {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("fields whose names begin with `update_url`")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
            let mut links = BTreeMap::new();
            while let Some((name, field)) = fields.next_entry::<String, Field>()? {
                match field {
                    Field::Text(link) if name.starts_with(LINK) => {
                        links.insert(name, link);
                    }
                    Field::Text(_) | Field::Else(_) => {}
                }
            }
            Ok(links)
        }
    }

    deserializer.deserialize_map(Links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_its_keys_in_alphabetical_order() -> Result<(), serde_json::Error> {
        let text = r#"{"changelog":"x\n","critical":true,"is_intermediate_required":true,"possible_rollback":false,"#
            .to_owned()
            + r#""rollout":{"percent":20,"seed":"badadc23b08e3943"},"signature":"s","update_available":true,"#
            + r#""update_url":"https://h/a","update_url_dmg":"https://h/a.dmg"}"#;
        let reply: CheckReply = serde_json::from_str(&text)?;
        assert_eq!(reply.links.len(), 2);
        assert_eq!(serde_json::to_string(&reply)?, text);
        Ok(())
    }

    #[test]
    fn fields_of_a_later_server_are_passed_over() -> Result<(), serde_json::Error> {
        let text = r#"{"critical":false,"update_available":false,"update_url":"u","later":{"a":[1]},"other":"text"}"#;
        let reply: CheckReply = serde_json::from_str(text)?;
        let links = BTreeMap::from([("update_url".to_owned(), "u".to_owned())]);
        let expected = CheckReply {
            changelog: None,
            critical: false,
            is_intermediate_required: None,
            possible_rollback: None,
            rollout: None,
            signature: None,
            update_available: false,
            links,
        };
        assert_eq!(reply, expected);
        Ok(())
    }
}
