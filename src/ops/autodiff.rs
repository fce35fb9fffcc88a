//! The gradients, once for all backends.

use super::{CircuitRun, QuantumOps, SpinDraw, SpinSamples};
use crate::annealing::IsingSampler;
use crate::error::Error;
use crate::statevector::Evolution;
use burn::backend::autodiff::{
    Autodiff, NodeId,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use std::sync::Arc;

#[derive(Debug)]
struct CircuitBackward;

// The tensors themselves, not nodes to compute again: they are small beside the states that are kept.
impl<B: QuantumOps> Backward<B, 2> for CircuitBackward {
    type State = ([FloatTensor<B>; 2], CircuitRun);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let ([inputs, weights], run) = ops.state;
        let cotangent = grads.consume::<B>(&ops.node);
        let (inputs, weights) = B::circuit_expectation_backward(inputs, weights, cotangent, run);
        for (parent, gradient) in ops.parents.into_iter().zip([inputs, weights]) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct AnnealBackward;

impl<B: QuantumOps> Backward<B, 4> for AnnealBackward {
    type State = ([NodeId; 4], Arc<Evolution>);

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (parents, evolution) = ops.state;
        let cotangent = grads.consume::<B>(&ops.node);
        let [fields, couplings, start, schedule] =
            parents.map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let (fields, couplings, start, schedule) = B::anneal_expectation_backward(
            fields, couplings, start, schedule, cotangent, evolution,
        );
        let gradients = [fields, couplings, start, schedule];
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct SpinsBackward;

impl<B: QuantumOps> Backward<B, 2> for SpinsBackward {
    type State = ([NodeId; 2], Arc<SpinSamples>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (parents, samples) = ops.state;
        let cotangent = grads.consume::<B>(&ops.node);
        let [fields, couplings] =
            parents.map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let (fields, couplings) =
            B::spin_statistics_backward(fields, couplings, cotangent, samples);
        for (parent, gradient) in ops.parents.into_iter().zip([fields, couplings]) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// Holds `m`, the couplings and the number of iterations.
#[derive(Debug)]
struct MeanFieldBackward;

// The tensors themselves: `m` lives on as what was computed, and to compute the couplings again
// would take longer than to keep them.
impl<B: QuantumOps> Backward<B, 2> for MeanFieldBackward {
    type State = ([FloatTensor<B>; 2], usize);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let ([m, couplings], n_iterations) = ops.state;
        let cotangent = grads.consume::<B>(&ops.node);
        let (theta, couplings) = B::mean_field_backward(m, couplings, cotangent, n_iterations);
        for (parent, gradient) in ops.parents.into_iter().zip([theta, couplings]) {
            if let Some(node) = parent {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: QuantumOps, C: CheckpointStrategy> QuantumOps for Autodiff<B, C> {
    fn circuit_expectation(
        inputs: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        run: CircuitRun,
    ) -> FloatTensor<Self> {
        let nodes = [inputs.node(), weights.node()];
        match CircuitBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (inputs, weights) = (inputs.into_primitive(), weights.into_primitive());
                let run = run.keep();
                let out = B::circuit_expectation(inputs.clone(), weights.clone(), run.clone());
                prep.finish(([inputs, weights], run), out)
            }
            OpsKind::UnTracked(prep) => {
                let (inputs, weights) = (inputs.into_primitive(), weights.into_primitive());
                prep.finish(B::circuit_expectation(inputs, weights, run))
            }
        }
    }

    fn circuit_expectation_backward(
        _inputs: FloatTensor<Self>,
        _weights: FloatTensor<Self>,
        _cotangent: FloatTensor<Self>,
        _run: CircuitRun,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("Burn differentiates once: backward runs on the inner backend")
    }

    fn anneal_expectation(
        fields: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        start: FloatTensor<Self>,
        schedule: FloatTensor<Self>,
        evolution: Arc<Evolution>,
    ) -> FloatTensor<Self> {
        let nodes = [fields.node(), couplings.node(), start.node(), schedule.node()];
        let run = |[fields, couplings, start, schedule]: [FloatTensor<B>; 4], evolution| {
            B::anneal_expectation(fields, couplings, start, schedule, evolution)
        };
        let tensors = [fields, couplings, start, schedule];
        match AnnealBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let parents = tensors.each_ref().map(|tensor| prep.checkpoint(tensor));
                let tensors = tensors.map(|tensor| tensor.into_primitive());
                let out = run(tensors, evolution.clone());
                prep.finish((parents, evolution), out)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(run(tensors.map(|tensor| tensor.into_primitive()), evolution))
            }
        }
    }

    fn anneal_expectation_backward(
        _fields: FloatTensor<Self>,
        _couplings: FloatTensor<Self>,
        _start: FloatTensor<Self>,
        _schedule: FloatTensor<Self>,
        _cotangent: FloatTensor<Self>,
        _evolution: Arc<Evolution>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("Burn differentiates once: backward runs on the inner backend")
    }

    fn draw_spins(
        fields: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        sampler: &dyn IsingSampler,
        n_reads: usize,
        estimate: bool,
    ) -> Result<SpinDraw, Error> {
        let (fields, couplings) = (fields.into_primitive(), couplings.into_primitive());
        B::draw_spins(fields, couplings, sampler, n_reads, estimate)
    }

    fn spin_statistics(
        fields: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        samples: Arc<SpinSamples>,
    ) -> FloatTensor<Self> {
        let nodes = [fields.node(), couplings.node()];
        match SpinsBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let parents = [&fields, &couplings].map(|tensor| prep.checkpoint(tensor));
                let (fields, couplings) = (fields.into_primitive(), couplings.into_primitive());
                let out = B::spin_statistics(fields, couplings, samples.clone());
                prep.finish((parents, samples), out)
            }
            OpsKind::UnTracked(prep) => {
                let (fields, couplings) = (fields.into_primitive(), couplings.into_primitive());
                prep.finish(B::spin_statistics(fields, couplings, samples))
            }
        }
    }

    fn spin_statistics_backward(
        _fields: FloatTensor<Self>,
        _couplings: FloatTensor<Self>,
        _cotangent: FloatTensor<Self>,
        _samples: Arc<SpinSamples>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("Burn differentiates once: backward runs on the inner backend")
    }

    fn mean_field(
        theta: FloatTensor<Self>,
        couplings: FloatTensor<Self>,
        n_iterations: usize,
    ) -> FloatTensor<Self> {
        let nodes = [theta.node(), couplings.node()];
        let (theta, couplings) = (theta.into_primitive(), couplings.into_primitive());
        match MeanFieldBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let m = B::mean_field(theta, couplings.clone(), n_iterations);
                prep.finish(([m.clone(), couplings], n_iterations), m)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::mean_field(theta, couplings, n_iterations)),
        }
    }

    fn mean_field_backward(
        _m: FloatTensor<Self>,
        _couplings: FloatTensor<Self>,
        _cotangent: FloatTensor<Self>,
        _n_iterations: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("Burn differentiates once: backward runs on the inner backend")
    }
}
