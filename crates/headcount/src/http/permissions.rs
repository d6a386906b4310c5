//! The permissions of team users, between their wire format and the catalog's.

use headcount_api::team as wire;

use crate::catalog::grants::{Granted, not_of_yours};
use crate::catalog::kind::Kind;
use crate::catalog::rights::{Right, Rights};
use crate::catalog::team::Permissions;
use crate::error::Error;

/// Reads what an administrator sent.
///
/// # Errors
/// 400 for a text in a list that is no id.
pub(super) fn parse(sent: &wire::Permissions) -> Result<Permissions, Error> {
    let wire::Permissions { apps, channels, platforms, archs } = sent;
    let mut given = vec![
        (Kind::App, Right::Create, apps.create),
        (Kind::App, Right::Delete, apps.delete),
        (Kind::App, Right::Edit, apps.edit),
        (Kind::App, Right::Download, apps.download),
        (Kind::App, Right::Upload, apps.upload),
    ];
    let mut allowed = vec![(Kind::App, &apps.allowed)];
    for (kind, part) in [(Kind::Channel, channels), (Kind::Platform, platforms), (Kind::Arch, archs)] {
        given.extend([
            (kind, Right::Create, part.create),
            (kind, Right::Delete, part.delete),
            (kind, Right::Edit, part.edit),
        ]);
        allowed.push((kind, &part.allowed));
    }
    let rights: Rights = given.into_iter().filter(|given| given.2).map(|(kind, right, _)| (kind, right)).collect();
    let mut granted = Granted::default();
    for (kind, ids) in allowed {
        for id in ids.iter().flatten() {
            granted.add(kind, id.parse().map_err(|_| not_of_yours(kind))?);
        }
    }
    Ok(Permissions { rights, granted })
}

/// Writes what clients read.
pub(super) fn render(permissions: &Permissions) -> wire::Permissions {
    let may = |kind, right| permissions.rights.allow(kind, right);
    let allowed = |kind| {
        let ids = permissions.granted.of(kind);
        // faynoSync's clients expect `null` for an empty list.
        (!ids.is_empty()).then(|| ids.iter().map(ToString::to_string).collect())
    };
    let part = |kind| wire::PartPermissions {
        create: may(kind, Right::Create),
        delete: may(kind, Right::Delete),
        edit: may(kind, Right::Edit),
        allowed: allowed(kind),
    };
    wire::Permissions {
        apps: wire::AppPermissions {
            create: may(Kind::App, Right::Create),
            delete: may(Kind::App, Right::Delete),
            edit: may(Kind::App, Right::Edit),
            download: may(Kind::App, Right::Download),
            upload: may(Kind::App, Right::Upload),
            allowed: allowed(Kind::App),
        },
        channels: part(Kind::Channel),
        platforms: part(Kind::Platform),
        archs: part(Kind::Arch),
    }
}
