//! One attempt: what is sent, and what its end means for the deployment's health and the credential.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use tollgate_upstream::attempt::{self, Try};
use tollgate_upstream::credentials::Credential;
use tollgate_upstream::deployment::{Asked, Door};
use tollgate_wire::fault::{Fault, FaultKind, Malformed, Retry};
use tollgate_wire::loss::Loss;

use super::Walk;
use super::answer::Begun;
use super::health::{credential_of, judge, rest};
use super::pen::Pen;
use crate::admit;
use crate::clock;
use crate::config::snapshot::{OnLoss, Target};

/// What is tried.
#[derive(Clone, Copy)]
pub(super) struct Trial<'t> {
    pub(super) target: &'t Arc<Target>,
    pub(super) began: Instant,
    /// Another deployment may answer instead, if this one should not.
    pub(super) has_next: bool,
}

impl Walk<'_> {
    /// One attempt; it is counted when it is about to be sent. What fails before that is no attempt, and says nothing about the deployment.
    pub(super) async fn attempt(&self, trial: Trial<'_>, asked: &mut Asked, pen: Pen<'_, '_>, made: &mut u32) -> Result<Begun, Fault> {
        let Trial { target, began, .. } = trial;
        let door = target.deployment.door(self.call.dialect);
        let credential = credential_of(door, began)?;
        let (body, loss) = self.body_for(door)?;
        if self.route.on_loss == OnLoss::Reject && !loss.is_empty() {
            let message = format!("{loss} cannot be carried to this model, and the route refuses losses");
            return Err(Fault::client(FaultKind::Lossy, message).with_code("lossy_translation"));
        }
        *made += 1;
        pen.with(|draft, lane| draft.attempt_begins(lane, target));
        let subject = admit::whole_subject(self.desk.caller, self.route, self.call, Some(&target.deployment));
        let mut provider_request_id = None;
        let result = {
            let tried = pin!(self.try_once((door, credential), body, (trial, pen), &mut provider_request_id));
            self.desk.switches.unless_ended(subject, tried).await.flatten()
        };
        let ended = clock::instant();
        pen.ended(ended.saturating_duration_since(began), result.as_ref().err());
        pen.with(|draft, _| {
            let record = draft.record_mut();
            record.passthrough = tollgate_wire::dialects::same(door.dialect, self.call.dialect);
            record.provider_request_id = provider_request_id;
        });
        let fault = match result {
            Ok(begun) => {
                pen.lose(&loss);
                asked.begun(ended);
                if let Begun::Whole(_) = begun {
                    asked.went_well(ended);
                }
                return Ok(begun);
            }
            Err(fault) => fault,
        };
        // A caller in a hurry says nothing about the provider.
        let hurried = fault.kind == FaultKind::Timeout && fault.retry == Retry::Never && self.call.wanted_by.is_some();
        if !hurried && judge(asked, &fault, ended) {
            door.site.retries.failed(ended);
        }
        match credential {
            Some(credential) => rest(door, credential, &fault, ended),
            None => super::health::rest_deployment(&target.deployment, &fault, ended),
        }
        Err(fault)
    }

    async fn try_once(
        &self,
        (door, credential): (&Door, Option<&Credential>),
        body: Bytes,
        (trial, pen): (Trial<'_>, Pen<'_, '_>),
        provider_request_id: &mut Option<String>,
    ) -> Result<Begun, Fault> {
        let mut reply = attempt::open(
            self.client,
            Try {
                door,
                credential,
                operation: self.call.operation,
                body,
                headers: self.headers_for(door),
                stream: self.call.envelope.stream,
                timeouts: &self.route.timeouts,
                deadline: self.deadline,
                unix: pen.unix(clock::instant()),
            },
        )
        .await?;
        *provider_request_id = reply.request_id.take();
        self.read((door, trial), reply, pen).await
    }

    /// The caller's own bytes with a few spans patched, where the dialect is the same; else a translation.
    fn body_for(&self, door: &Door) -> Result<(Bytes, Loss), Fault> {
        let call = self.call;
        if tollgate_wire::dialects::same(door.dialect, call.dialect) {
            let mut loss = Loss::default();
            let patch = door
                .dialect
                .patch(call.operation, &call.envelope, &call.body, &door.target, &mut loss);
            let body = if patch.is_empty() {
                call.body.clone()
            } else {
                Bytes::from(patch.apply(&call.body))
            };
            return Ok((body, loss));
        }
        let request = call.request()?;
        if request.messages.is_empty() {
            return Err(Malformed::at("messages", "the array is empty; send at least one message").into());
        }
        let mut loss = Loss::default();
        let body = door.dialect.write_request(call.operation, request, &door.target, &mut loss);
        Ok((Bytes::from(body), loss))
    }

    /// Beta features are named in a header that only their own dialect's vendor understands (FAULTS R-B5).
    fn headers_for(&self, door: &Door) -> HeaderMap {
        let mut headers = self.crossing.clone();
        let same = tollgate_wire::dialects::same(door.dialect, self.call.dialect);
        if same {
            crate::crossing::dialect_headers(door.dialect, &self.call.headers, door.site.betas, &mut headers);
        }
        headers
    }
}
