//! Agreement with values that other simulators computed: see `tests/data/README.md`.

use crate::reference_file::Reference;

fn load(name: &str) -> Reference {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    Reference::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn circuits_agree_in_double_and_in_single_precision() {
    for name in ["n2_B1_L1", "n2_B3_L1", "n3_B2_L2", "n4_B3_L4", "n10_B1_L4"] {
        let Reference::Circuit(file) = load(&format!("reference_{name}.json")) else {
            panic!("{name} is a circuit")
        };
        let double = file.errors::<f64>().unwrap();
        assert!(double.values < 1e-10 && double.gradients < 1e-10, "{name}: {double:?}");
        let single = file.errors::<f32>().unwrap();
        assert!(single.values < 1e-4 && single.gradients < 1e-4, "{name}: {single:?}");
        let state = file.state_error().unwrap();
        assert!(state.is_some() || name.starts_with("n10"), "{name} has amplitudes");
        assert!(state.unwrap_or(0.0) < 1e-10, "{name}: {state:?}");
    }
}

#[test]
fn annealing_converges_to_the_reference_with_order_two() {
    for name in ["reference_anneal_n4.json", "reference_anneal_n8.json"] {
        let Reference::Anneal(file) = load(name) else { panic!("{name} is an annealing run") };
        let order = file.order(&[100, 200, 400, 800]).unwrap();
        assert!((order - 2.0).abs() < 0.05, "{name}: order {order}");
        let fine = file.errors::<f64>(4000).unwrap();
        assert!(fine.values < 1e-5 && fine.gradients < 1e-5, "{name}: {fine:?}");
        let single = file.errors::<f32>(1000).unwrap();
        assert!(single.values < 1e-3 && single.gradients < 1e-3, "{name}: {single:?}");
    }
}
