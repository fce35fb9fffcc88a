//! Attention operators.

mod bipartite;
mod heads;
mod hierarchical;
mod qama;
mod selection;

pub use bipartite::{BipartiteAttention, BipartiteAttentionConfig, BipartiteOutput};
pub use hierarchical::{
    HierarchicalAttention, HierarchicalAttentionConfig, HierarchicalInput, HierarchicalOutput,
};
pub use qama::{
    Qama, QamaConfig, QamaCoupling, QamaField, QamaGroundStates, QamaInput, QamaOutput,
    QamaSelection,
};
pub use selection::{
    QamaV1, QamaV1Config, SelectionAttention, SelectionAttentionConfig, SelectionCardinality,
    SelectionGradient, SelectionOutput, SelectionReadout, SelectionScaling, SelectionSearch,
};
