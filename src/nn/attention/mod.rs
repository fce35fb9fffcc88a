//! Attention operators.

mod hierarchical;

pub use hierarchical::{
    HierarchicalAttention, HierarchicalAttentionConfig, HierarchicalInput, HierarchicalOutput,
};
