//! What holds for every extension, for those of this package.

mod adapter {
    use gatewright_provider_bedrock::Bedrock;
    use serde_json::json;

    gatewright_testkit::conformance! {
        Bedrock => ProviderAdapter;
        json!({ "region": "eu-west-1" })
    }
}

mod credentials {
    use gatewright_provider_bedrock::BedrockCredentials;
    use serde_json::json;

    gatewright_testkit::conformance! {
        BedrockCredentials => CredentialProvider;
        json!({ "from": { "key": "key" } })
    }
}
