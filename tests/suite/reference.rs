//! Agreement with values that other simulators computed (tests/data/README.md).
