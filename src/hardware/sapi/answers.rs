//! Waiting for jobs.

use super::client::{Client, JobId};
use super::model::Status;
use crate::error::{Error, Fault};
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// So many jobs are asked about in one request.
const POLLED: usize = 100;

/// The least and most time between polls that bring nothing new.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(5)];

/// What became of a job that did not fail.
pub(super) enum Outcome {
    Running,
    /// With the answer, if the service sent it along.
    Completed(Option<Value>),
}

type Slot = Option<Result<Value, Error>>;

/// The place of a job, and what it came to.
type Done = (usize, Result<Value, Error>);

/// The answers of jobs in the order of the jobs.
pub(super) fn wait(client: &Client, jobs: &[JobId]) -> Vec<Result<Value, Error>> {
    let mut slots: Vec<Slot> = vec![None; jobs.len()];
    let mut pause = PAUSES[0];
    loop {
        let open = slots.iter().enumerate().filter(|(_, slot)| slot.is_none()).map(|(k, _)| k);
        let open: Vec<usize> = open.take(POLLED).collect();
        if open.is_empty() {
            break;
        }
        let start = Instant::now();
        match round(client, jobs, &open) {
            Err(error) => open.iter().for_each(|&k| slots[k] = Some(Err(error.clone()))),
            Ok(found) if !found.is_empty() => {
                found.into_iter().for_each(|(k, answer)| slots[k] = Some(answer));
                pause = PAUSES[0];
            }
            // A service that does not hold polls open must not be asked without end.
            Ok(_) if start.elapsed() < Duration::from_secs(1) => {
                if let Err(error) = client.link.pause(pause) {
                    open.iter().for_each(|&k| slots[k] = Some(Err(error.clone())));
                }
                pause = pause.mul_f64(1.3).min(PAUSES[1]);
            }
            Ok(_) => {}
        }
    }
    let lost = || client.link.error(Fault::Lost, "there is no answer");
    slots.into_iter().map(|slot| slot.unwrap_or_else(|| Err(lost()))).collect()
}

/// Asks once about the open jobs, and returns those that are done.
fn round(client: &Client, jobs: &[JobId], open: &[usize]) -> Result<Vec<Done>, Error> {
    client.link.check()?;
    let ids: Vec<&str> = open.iter().map(|&k| jobs[k].0.as_str()).collect();
    let mut statuses: HashMap<String, Vec<Status>> = HashMap::new();
    for status in client.poll(&ids, true)? {
        statuses.entry(status.id.clone().unwrap_or_default()).or_default().push(status);
    }
    let done = |(&k, id): (&usize, &&str)| {
        let answer = of_job(client, id, statuses.remove(*id).unwrap_or_default());
        answer.transpose().map(|answer| (k, answer))
    };
    Ok(open.iter().zip(&ids).filter_map(done).collect())
}

/// The answer of a job of which the service says this, or nothing if it still runs.
fn of_job(client: &Client, id: &str, mut said: Vec<Status>) -> Result<Option<Value>, Error> {
    if said.len() > 1 {
        let reason = format!("the service tells of this job {} times at once", said.len());
        return Err(client.link.error(Fault::Malformed, reason).about_job(id));
    }
    // A job of which it tells nothing is lost only if it says so when asked.
    let outcome = match said.pop() {
        Some(status) => client.read(id, status)?,
        None => client.outcome(id)?,
    };
    let sent = match outcome {
        Outcome::Running => return Ok(None),
        Outcome::Completed(sent) => sent,
    };
    let fetched = match sent {
        Some(answer) => Some(answer),
        None => match client.outcome(id)? {
            Outcome::Completed(answer) => answer,
            Outcome::Running => return Ok(None),
        },
    };
    fetched.map(Some).ok_or_else(|| {
        client.link.error(Fault::Lost, "it is completed, but has no answer").about_job(id)
    })
}
