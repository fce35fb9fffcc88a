//! What a circuit operation needs beside its tensors.

use crate::statevector::{Program, Real, States};
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

/// A program to run; with `keep`, its final states wait for the gradient, which then need not run
/// the circuit again.
#[derive(Debug, Clone)]
pub struct CircuitRun {
    pub(super) program: Arc<Program>,
    kept: Option<Arc<Kept>>,
}

/// [`States`] of either precision, at most once.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<Box<dyn Any + Send>>>);

impl CircuitRun {
    /// A run that keeps nothing.
    pub fn new(program: Arc<Program>) -> Self {
        Self { program, kept: None }
    }

    /// A run whose states are kept until its gradient takes them, or it is dropped.
    pub(super) fn keep(self) -> Self {
        Self { kept: Some(Arc::default()), ..self }
    }

    pub(super) fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    pub(super) fn put<T: Real>(&self, states: States<T>) {
        if let Some(kept) = &self.kept {
            *kept.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(states));
        }
    }

    /// The states that were kept in this precision.
    pub(super) fn take<T: Real>(&self) -> Option<States<T>> {
        let kept = self.kept.as_ref()?.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        kept.downcast().ok().map(|states| *states)
    }
}
