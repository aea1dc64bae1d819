//! Content types, permissions, roles and users, as Django's contrib applications keep them.

use super::cell::{Cell, DAY};
use super::rng::Rng;
use super::schema::Table;
use super::words::{FIRST_NAMES, GROUPS, LAST_NAMES};
use super::{END, Stocktake, moment, stream};

/// A content type: application, model, verbose name.
pub(super) struct ContentType {
    pub(super) app: &'static str,
    pub(super) model: &'static str,
    verbose: &'static str,
}

const fn content_type(app: &'static str, model: &'static str, verbose: &'static str) -> ContentType {
    ContentType { app, model, verbose }
}

/// In the order in which `migrate` would have made them.
pub(super) const CONTENT_TYPES: [ContentType; 16] = [
    content_type("auth", "permission", "permission"),
    content_type("auth", "group", "group"),
    content_type("auth", "user", "user"),
    content_type("contenttypes", "contenttype", "content type"),
    content_type("stocktake", "category", "category"),
    content_type("stocktake", "supplier", "supplier"),
    content_type("stocktake", "tag", "tag"),
    content_type("stocktake", "item", "item"),
    content_type("stocktake", "location", "location"),
    content_type("stocktake", "stock", "stock"),
    content_type("stocktake", "movement", "movement"),
    content_type("stocktake", "order", "order"),
    content_type("stocktake", "orderline", "order line"),
    content_type("stocktake", "document", "document"),
    content_type("stocktake", "documentversion", "document version"),
    content_type("stocktake", "auditentry", "audit entry"),
];

/// Django's default permissions of each model.
pub(super) const ACTIONS: [&str; 4] = ["add", "change", "delete", "view"];

/// The content type of this id.
pub(super) fn content_type_of(id: i64) -> &'static ContentType {
    &CONTENT_TYPES[(id - 1) as usize]
}

/// The content type and the action of a permission.
fn permission_parts(id: i64) -> (i64, &'static str) {
    let actions = ACTIONS.len() as i64;
    ((id - 1) / actions + 1, ACTIONS[((id - 1) % actions) as usize])
}

pub(super) fn content_type_row(id: i64) -> Vec<Cell> {
    let content_type = content_type_of(id);
    vec![Cell::Int(id), Cell::text(content_type.app), Cell::text(content_type.model)]
}

pub(super) fn permission_row(id: i64) -> Vec<Cell> {
    let (type_id, action) = permission_parts(id);
    let name = format!("Can {action} {}", content_type_of(type_id).verbose);
    vec![Cell::Int(id), Cell::text(name), Cell::Int(type_id), Cell::text(codename(id))]
}

/// `add_user`
fn codename(id: i64) -> String {
    let (type_id, action) = permission_parts(id);
    format!("{action}_{}", content_type_of(type_id).model)
}

/// A permission's natural key: its codename, then its content type's own key.
pub(super) fn permission_key(id: i64) -> Vec<String> {
    let content_type = content_type_of(permission_parts(id).0);
    vec![codename(id), content_type.app.to_owned(), content_type.model.to_owned()]
}

/// A role's name.
pub(super) fn group_name(id: i64) -> &'static str {
    GROUPS[(id - 1) as usize]
}

/// The permissions of a role: all for the administrators, viewing for the auditors, none for guests.
pub(super) fn group_permissions(id: i64) -> Vec<i64> {
    let every = 1..=(CONTENT_TYPES.len() * ACTIONS.len()) as i64;
    let granted = |permission: &i64| {
        let (type_id, action) = permission_parts(*permission);
        match id {
            1 => true,
            2 => (8..=11).contains(&type_id),
            3 => (12..=13).contains(&type_id) || action == "view",
            4 => action == "view",
            _ => false,
        }
    };
    every.filter(granted).collect()
}

impl Stocktake {
    /// A user's first name, last name and user name. The first user is the administrator.
    fn person(&self, id: i64) -> (&'static str, &'static str, String) {
        let mut rng = Rng::for_row(self.seed, stream(Table::User), id);
        let (first, last) = (rng.pick(&FIRST_NAMES), rng.pick(&LAST_NAMES));
        let user_name = if id == 1 { "admin".to_owned() } else { format!("{}.{}{id}", first.ascii, last.ascii) };
        (first.name, last.name, user_name)
    }

    /// A user's name, which is the natural key.
    pub(super) fn user_name(&self, id: i64) -> String {
        self.person(id).2
    }

    pub(super) fn user_row(&self, id: i64) -> Vec<Cell> {
        let mut rng = Rng::for_row(self.seed, stream(Table::User) + 1000, id);
        let (first, last, user_name) = self.person(id);
        let joined = moment(&mut rng, id, self.sizes.users);
        let last_login = (!rng.one_in(5)).then(|| joined + rng.below(300 * DAY));
        // Django's mark of a password that nobody can log in with: "!" and 40 characters.
        let password: String =
            (0..40).map(|_| char::from(*rng.pick(b"ABCDEFGHJKMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"))).collect();
        vec![
            Cell::Int(id),
            Cell::text(format!("!{password}")),
            Cell::optional(last_login.map(|at| at.min(END)), Cell::Timestamp),
            Cell::Bool(id == 1),
            Cell::text(user_name.clone()),
            Cell::text(first),
            Cell::text(last),
            Cell::text(if rng.one_in(12) { String::new() } else { format!("{user_name}@example.org") }),
            Cell::Bool(id <= 3),
            Cell::Bool(id == 1 || !rng.one_in(10)),
            Cell::Timestamp(joined),
        ]
    }

    /// The roles of a user.
    pub(super) fn user_groups(&self, id: i64) -> Vec<i64> {
        let mut rng = Rng::for_row(self.seed, stream(Table::UserGroups), id);
        match id {
            1 => vec![1],
            _ => (2..=GROUPS.len() as i64).filter(|_| rng.one_in(3)).collect(),
        }
    }

    /// The few permissions that a user has without a role.
    pub(super) fn user_permissions(&self, id: i64) -> Vec<i64> {
        let mut rng = Rng::for_row(self.seed, stream(Table::UserPermissions), id);
        let first = rng.between(1, 60);
        if rng.one_in(4) { vec![first, first + rng.between(1, 4)] } else { Vec::new() }
    }
}
