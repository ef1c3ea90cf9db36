"""Writes msk_tokens.json: tokens as Amazon's own signer makes them, for fixed keys and times.

    pip install aws-msk-iam-sasl-signer-python==1.0.2
    python msk_tokens.py > msk_tokens.json
"""

import datetime
import json
from unittest import mock

import botocore.auth
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider as provider
from botocore.credentials import Credentials, CredentialProvider

CASES = [
    ("eu-central-1", "2026-02-03T04:05:06", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None),
    ("us-gov-west-1", "2024-02-29T23:59:59", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None),
    (
        "ap-southeast-2",
        "2030-12-31T00:00:00",
        "ASIAIOSFODNN7EXAMPLE",
        "+/=&?%~ !'()*",
        "IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJHMEUCIQ+/==&x=y z~'()*!",
    ),
]


class Fixed(CredentialProvider):
    def __init__(self, key, secret, token):
        super().__init__()
        self.credentials = Credentials(key, secret, token)

    def load(self):
        return self.credentials


def token_of(region, at, key, secret, session):
    moment = datetime.datetime.fromisoformat(at)
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda: moment):
        with mock.patch.object(provider, "__get_user_agent__", lambda: "pg-tide"):
            token, _ = provider.generate_auth_token_from_credentials_provider(region, Fixed(key, secret, session))
    return {
        "region": region,
        "at": f"{at}Z",
        "accessKeyId": key,
        "secretAccessKey": secret,
        **({} if session is None else {"sessionToken": session}),
        "token": token,
    }


print(json.dumps([token_of(*case) for case in CASES], indent=2))
