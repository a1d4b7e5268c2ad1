use crate::{Champions, GenesisConfig, Models, mock::*};
use touchstone_primitives::{apis::ModelStatus::*, provenance::Tier};

fn config() -> GenesisConfig<Test> {
    GenesisConfig {
        topics: vec![
            topic("code", Tier::T1, &[]),
            topic("strategy", Tier::T3, &[*b"US"]),
        ],
        models: vec![
            (producer(), base(1), Champion),
            (producer(), adapter(2, hash(1), 1), Champion),
            (producer(), adapter(3, hash(1), 0), Candidate),
        ],
        serving: vec![(validator(), hash(1), Some(hash(2)), 4)],
        ..Default::default()
    }
}

#[test]
fn the_chain_starts_with_topics_models_and_servers() {
    run_with(config(), || {
        assert_eq!(Registry::topics().len(), 2);
        assert_eq!(Champions::<Test>::get(1).len(), 1);
        assert_eq!(Models::<Test>::get(hash(3)).unwrap().status, Candidate);
        assert_eq!(Models::<Test>::get(hash(1)).unwrap().seal, None);
        assert_eq!(Registry::serving().len(), 1);
    })
}

#[test]
fn a_genesis_configuration_survives_json() {
    let json = serde_json::to_string(&config()).unwrap();
    run_with(serde_json::from_str(&json).unwrap(), || {
        assert_eq!(Registry::models().len(), 3)
    })
}

#[test]
#[should_panic(expected = "JurisdictionNotAdmitted")]
fn the_gate_holds_at_genesis_too() {
    let mut config = config();
    config.models[0].1.provenance.jurisdiction = *b"CN";
    run_with(config, || ())
}
