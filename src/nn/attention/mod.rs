//! Attention operators.

mod hierarchical;
mod qama;

pub use hierarchical::{
    HierarchicalAttention, HierarchicalAttentionConfig, HierarchicalInput, HierarchicalOutput,
};
pub use qama::{Qama, QamaConfig, QamaCoupling, QamaInput, QamaOutput, QamaSelection};
