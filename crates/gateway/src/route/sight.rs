//! What strategies see of a call: each answer is worked out when a strategy asks for it.

use tollgate_policy::rules::Facts;
use tollgate_policy::strategies::Sight;

use crate::admit::Desk;
use crate::config::snapshot::Route;
use crate::facts;
use crate::ingress::Call;

/// One call and the route that it takes.
pub(super) struct View<'a> {
    desk: Desk<'a>,
    route: &'a Route,
    call: &'a Call,
}

impl<'a> View<'a> {
    pub(super) fn new(desk: Desk<'a>, route: &'a Route, call: &'a Call) -> Self {
        Self { desk, route, call }
    }
}

impl Sight for View<'_> {
    fn facts(&self) -> Facts<'_> {
        facts::of(self.desk, self.route, self.call)
    }
}
