//! QAMA beside burn-nn's multi-head attention: forward and backward, 32 sequences of 64 tokens,
//! 8 heads, `d_model` 128.
//!
//!     cargo bench --bench attention
//!
//! One element is a token.

use burn::nn::attention::{MhaInput, MultiHeadAttentionConfig};
use burn::tensor::{Device, Distribution, Tensor};
use burn_quantum::nn::attention::{QamaConfig, QamaCoupling, QamaInput, QamaSelection};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SHAPE: [usize; 3] = [32, 64, 128];
const N_HEADS: usize = 8;

/// Runs an attention forth and back and waits for the gradient of its input.
fn step(x: &Tensor<3>, forward: impl Fn(Tensor<3>) -> Tensor<3>) -> f32 {
    let x = x.clone().require_grad();
    let grads = forward(x.clone()).powi_scalar(2).sum().backward();
    x.grad(&grads).expect("a gradient").abs().max().into_scalar::<f32>()
}

fn bench(c: &mut Criterion) {
    let device = Device::flex().autodiff();
    let x = Tensor::<3>::random(SHAPE, Distribution::Normal(0.0, 1.0), &device);
    let mut group = c.benchmark_group("attention/gradient");
    group.sample_size(20).throughput(Throughput::Elements((SHAPE[0] * SHAPE[1]) as u64));

    let mha = MultiHeadAttentionConfig::new(SHAPE[2], N_HEADS).init(&device);
    group.bench_function("mha", |b| {
        b.iter(|| step(&x, |x| mha.forward(MhaInput::self_attn(x)).context));
    });
    let base = QamaConfig::new(SHAPE[2], N_HEADS);
    let learned = base.clone().with_coupling(QamaCoupling::Learned { max_keys: SHAPE[1] });
    let gibbs = |base: &QamaConfig| base.clone().with_selection(QamaSelection::Gibbs);
    for (name, config) in [
        ("qama/gibbs_16_key_key", gibbs(&base)),
        ("qama/gibbs_16_learned", gibbs(&learned)),
        ("qama/mean_field_key_key", base),
        ("qama/mean_field_learned", learned),
    ] {
        let layer = config.init(&device);
        let run = |x| layer.forward(QamaInput::self_attn(x)).context;
        let largest = step(&x, run);
        assert!(largest.is_finite() && largest > 0.0, "{name}: {largest}");
        group.bench_function(name, |b| b.iter(|| step(&x, run)));
    }
}

fn layouts(c: &mut Criterion) {
    let device = Device::flex().autodiff();
    let x = Tensor::<3>::random(SHAPE, Distribution::Normal(0.0, 1.0), &device);
    let mut group = c.benchmark_group("attention/layouts");
    group.sample_size(20).throughput(Throughput::Elements((SHAPE[0] * SHAPE[1]) as u64));
    let selection = QamaConfig::selection(SHAPE[2], N_HEADS).init(&device);
    let bipartite = QamaConfig::bipartite(SHAPE[2], N_HEADS).init(&device);
    let paper = QamaConfig::paper_v2(SHAPE[2], N_HEADS).init(&device);
    let input = QamaInput::self_attn;
    group.bench_function("selection_16", |b| {
        b.iter(|| step(&x, |x| selection.forward(input(x)).context));
    });
    group.bench_function("bipartite_16", |b| {
        b.iter(|| step(&x, |x| bipartite.forward(input(x)).context));
    });
    group.bench_function("paper_v2", |b| {
        b.iter(|| step(&x, |x| paper.forward(input(x)).context));
    });
}

criterion_group!(benches, bench, layouts);
criterion_main!(benches);
