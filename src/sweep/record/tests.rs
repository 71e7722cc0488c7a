//! Tests of the records of a sweep.

use super::*;

#[test]
fn solutions_survive_packing() {
    for values in [vec![], vec![0.0, -1.5, 0.0, 1e-300], vec![0.0; 5]] {
        assert_eq!(unpack_sparse(&pack_sparse(&values)), Some(values));
    }
    let bytes = pack_sparse(&[1.0, 2.0]);
    assert_eq!(unpack_sparse(&bytes[..bytes.len() - 1]), None);
    assert_eq!(
        unpack_sparse(&[1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        None
    );
    assert_eq!(unpack_sparse(&[1]), None);
}

#[test]
fn a_digest_sees_every_part() {
    let cell = Cell {
        point: 1,
        ..Cell::default()
    };
    let mut others = vec![cell.clone(); 5];
    others[0].point = 2;
    others[1].status = Status::Stalled;
    others[2].numbers[Number::Auc] = 0.5;
    others[3].warnings = "not-certified".into();
    others[4].solution = vec![1];
    let own = digest(std::slice::from_ref(&cell));
    let (mut zero, mut negative) = (cell.clone(), cell.clone());
    zero.numbers[Number::HypergradientL1] = 0.0;
    negative.numbers[Number::HypergradientL1] = -0.0;
    assert_eq!(
        digest(&[zero]),
        digest(&[negative]),
        "SQLite keeps no negative zero"
    );
    assert_eq!(own, digest(&[cell]));
    for other in others {
        assert_ne!(own, digest(&[other]));
    }
}
