//! What the passes of a program need beside their angles, for one layout of its states.

use super::kernels::gate::Rule;
use super::kernels::polynomial::Masks;
use super::kernels::remap::Gather;
use super::kernels::turn::Stages;
use super::plan::{Diagonal, Pass, Run, is_shared};
use super::program::Instruction;
use crate::circuit::Angle;
use std::sync::OnceLock;

/// Tables by the number of bits of the lane, each made when it is first asked for.
///
/// They depend on no weights, so all runs of a program share them.
#[derive(Debug, Clone, Default)]
pub struct Layouts([OnceLock<Tables>; 5]);

/// A program in one layout.
#[derive(Debug, Clone)]
pub struct Tables {
    pub passes: Vec<Table>,
    /// Of the observables.
    pub masks: Masks,
    /// Of the identity.
    pub norm: Masks,
}

#[derive(Debug, Clone)]
pub enum Table {
    Qubits(RunsTable),
    Diagonal(Box<DiagonalTable>),
    Gate(GateTable),
}

#[derive(Debug, Clone)]
pub struct RunsTable {
    pub runs: Vec<Run>,
    pub stages: Stages,
    /// Whether all samples share all matrices.
    pub shared: bool,
}

#[derive(Debug, Clone)]
pub struct DiagonalTable {
    pub diagonal: Diagonal,
    pub masks: Masks,
    /// Whether all samples share the phases.
    pub shared: bool,
    pub forward: Option<Gather>,
    pub backward: Option<Gather>,
}

#[derive(Debug, Clone)]
pub struct GateTable {
    pub instruction: Instruction,
    pub rule: Rule,
    /// The angle, and what to multiply it with before its sine and cosine are taken.
    pub angle: Option<(Angle, f64)>,
    /// Whether all samples share the angle.
    pub shared: bool,
}

impl Layouts {
    /// The tables for states whose lanes hold the lowest `lane_bits` of `n_qubits`.
    pub fn get(
        &self,
        lane_bits: usize,
        n_qubits: usize,
        plan: &[Pass],
        masks: impl Iterator<Item = usize>,
    ) -> &Tables {
        self.0[lane_bits].get_or_init(|| Tables {
            passes: plan.iter().map(|pass| table(pass, lane_bits, n_qubits)).collect(),
            masks: Masks::new(masks.collect()),
            norm: Masks::new(vec![0]),
        })
    }
}

fn table(pass: &Pass, lane_bits: usize, n_qubits: usize) -> Table {
    let registers = 1 << n_qubits >> lane_bits;
    match pass {
        Pass::Qubits(runs) => Table::Qubits(RunsTable {
            runs: runs.clone(),
            stages: Stages::new(runs, lane_bits, registers),
            shared: runs.iter().all(Run::is_shared),
        }),
        Pass::Diagonal(diagonal) => {
            let gather = |map| Gather::new(map, lane_bits, registers);
            let map = diagonal.map.as_ref();
            Table::Diagonal(Box::new(DiagonalTable {
                diagonal: diagonal.clone(),
                masks: Masks::new(diagonal.terms.iter().map(|term| term.mask).collect()),
                shared: diagonal.is_shared(),
                forward: map.map(|map| gather(&map.source)),
                backward: map.map(|map| gather(&map.target)),
            }))
        }
        Pass::Gate(instruction) => {
            let angle = instruction.angle();
            let shared = angle.is_none_or(|(angle, _)| is_shared(&angle));
            Table::Gate(GateTable {
                instruction: *instruction,
                rule: Rule::gate(instruction),
                angle,
                shared,
            })
        }
    }
}
