"""Events in the forms of the samples that AWS publishes: which fields there are, how they are written, what is absent.

The forms are facts read off github.com/aws/aws-lambda-go (Apache-2.0), events/testdata/, each by the file that is named
beside it; that of an HTTP API in format 1.0 is the documentation's, as github.com/Kludex/mangum (MIT) has it in
tests/handlers/test_http_gateway.py. The values are this project's own. Each event asks for `/?q=ink&q=pen`, or sends
`{"a": 1}` to `/echo`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]
BODY = '{\r\n\t"a": 1\r\n}'
_API = "abcdefghij.execute-api.eu-north-1.amazonaws.com"
_AGENT = "curl/8.5.0"
_CERTIFICATE = {
    "clientCertPem": "-----BEGIN CERTIFICATE-----",
    "issuerDN": "CN=Shop",
    "serialNumber": "1",
    "subjectDN": "CN=Visitor",
    "validity": {"notAfter": "Aug  5 00:00:00 2120 GMT", "notBefore": "Aug 29 00:00:00 2020 GMT"},
}
_OF_IAM = {
    "accessKey": "AKIA",
    "accountId": "111122223333",
    "callerId": "AIDA",
    "userArn": "arn:aws:iam::111122223333:user/ann",
    "userId": "AIDA",
}


def _of_2(method: str, path: str, domain: str, **more: Any) -> Event:
    """Gives the context of format 2.0."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": _AGENT}
    when = {"time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1773342238390}
    names = {"accountId": "111122223333", "apiId": "abcdefghij", "requestId": "LV7fzho-PHcEJPw="}
    return {**names, "domainName": domain, "domainPrefix": domain.partition(".")[0], "http": http, **when, **more}


def _of_rest(method: str, **more: Any) -> Event:
    """Gives the context of a REST API."""
    nobody = ("cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "user", "userArn")
    about = {"sourceIp": "203.0.113.7", "userAgent": _AGENT}
    return {
        "accountId": "111122223333",
        "resourceId": "abc123",
        "stage": "prod",
        "domainName": _API,
        "domainPrefix": "abcdefghij",
        "requestId": "deef4878-7910-11e6-8f14-25afc3e9ae33",
        "identity": {**dict.fromkeys(nobody), **about},
        "authorizer": {"principalId": "admin", "clientId": 1},
        "resourcePath": "/{proxy+}",
        "httpMethod": method,
        "apiId": "abcdefghij",
        "requestTime": "12/Mar/2026:19:03:58 +0000",
        "requestTimeEpoch": 1773342238390,
        **more,
    }


def _of_balancer(name: str) -> Event:
    group = f"arn:aws:elasticloadbalancing:eu-north-1:111122223333:targetgroup/{name}/abcdefgh"
    return {"elb": {"targetGroupArn": group}}


def _many(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    return {name: [value] for name, value in headers}


# Of a REST API, which writes headers as they came, or in capitals of its own.
_REST = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "cache-control": "no-cache",
    "CloudFront-Forwarded-Proto": "https",
    "CloudFront-Viewer-Country": "SE",
    "Content-Type": "application/json",
    "Cookie": "a=1; b=2",
    "Host": _API,
    "Origin": "https://shop.example",
    "User-Agent": _AGENT,
    "Via": "1.1 abc.cloudfront.net (CloudFront)",
    "X-Forwarded-For": "203.0.113.7, 198.51.100.8",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}
# Of a load balancer, which writes them small, and forwards plain HTTP too.
_BALANCED = {
    "accept": "*/*",
    "connection": "keep-alive",
    "host": "shop-1234567.eu-north-1.elb.amazonaws.com",
    "user-agent": _AGENT,
    "x-amzn-trace-id": "Root=1-5c34e7d4-00ca239424b68028d4c56d68",
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-port": "80",
    "x-forwarded-proto": "http",
    "x-imforwards": "20",
}
_SENT = {"path": "/echo", "httpMethod": "POST", "headers": _REST, "multiValueHeaders": _many(_REST.items())}
_NO_QUERY = {"queryStringParameters": None, "multiValueQueryStringParameters": None}

ASKING: dict[str, Event] = {
    # apigw-v2-request-no-authorizer.json: neither a body nor cookies, a certificate of the visitor's
    "http-api": {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "q=ink&q=pen",
        "headers": {
            "accept": "*/*",
            "content-length": "0",
            "host": _API,
            "user-agent": _AGENT,
            "x-amzn-trace-id": "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": _of_2(
            "GET", "/", _API, routeKey="$default", stage="$default", authentication={"clientCert": _CERTIFICATE}
        ),
        "isBase64Encoded": False,
    },
    # the documentation's, in format 1.0: a version, and fields that are null
    "http-api-1.0": {
        "version": "1.0",
        "resource": "/",
        "path": "/",
        "httpMethod": "GET",
        "headers": {"Header1": "value1", "Header2": "value2"},
        "multiValueHeaders": {"Header1": ["value1"], "Header2": ["value1", "value2"]},
        "queryStringParameters": {"q": "ink"},
        "multiValueQueryStringParameters": {"q": ["ink", "pen"]},
        "requestContext": {
            **_of_rest("GET", path="/", protocol="HTTP/1.1", extendedRequestId="id", resourcePath="/"),
            "stage": "$default",
            "resourceId": None,
            "authorizer": {"claims": None, "scopes": None},
        },
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    },
    # alb-lambda-target-request-headers-only.json
    "balancer": {
        "requestContext": _of_balancer("shop"),
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {"q": "ink"},
        "headers": _BALANCED,
        "body": "",
        "isBase64Encoded": False,
    },
    # alb-lambda-target-request-multivalue-headers.json: no `headers`, and no single values of the query
    "balancer-many": {
        "requestContext": _of_balancer("shop"),
        "httpMethod": "GET",
        "path": "/",
        "multiValueQueryStringParameters": {"q": ["ink", "pen"]},
        "multiValueHeaders": _many(_BALANCED.items()),
        "body": "",
        "isBase64Encoded": False,
    },
}
"""What asks for a page, by its kind."""

SENDING: dict[str, Event] = {
    # lambda-urls-request.json: neither Host nor protocol among the headers, no `stage`, cookies in a list
    "url": {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/echo",
        "rawQueryString": "",
        "cookies": ["a=1", "b=2"],
        "headers": {"header1": "value1", "header2": "value1,value2", "origin": "https://shop.example"},
        "queryStringParameters": {},
        "requestContext": _of_2("POST", "/echo", "abc.lambda-url.eu-north-1.on.aws", authorizer={"iam": _OF_IAM}),
        "body": BODY,
        "isBase64Encoded": False,
    },
    # apigw-v2-request-iam.json: headers in capitals, variables of the stage, parameters of the path
    "http-api": {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/echo",
        "rawQueryString": "",
        "cookies": ["a=1", "b=2"],
        "headers": {"Header1": "value1", "Header2": "value2", "Origin": "https://shop.example"},
        "queryStringParameters": {},
        "pathParameters": {"proxy": "echo"},
        "requestContext": _of_2(
            *("POST", "/echo", _API),
            routeKey="$default",
            stage="$default",
            authorizer={"iam": _OF_IAM},
            authentication={"clientCert": _CERTIFICATE},
        ),
        "stageVariables": {"stageVariable1": "value1"},
        "body": BODY,
        "isBase64Encoded": False,
    },
    # apigw-request.json: no `isBase64Encoded`, no path in the context
    "rest": {
        "resource": "/{proxy+}",
        **_SENT,
        **_NO_QUERY,
        "pathParameters": {"proxy": "echo"},
        "stageVariables": {"name": "value"},
        "requestContext": _of_rest("POST"),
        "body": BODY,
    },
    # apigw-restapi-openapi-request.json: a context with a path and a name of the operation
    "rest-openapi": {
        "resource": "/{proxy+}",
        **_SENT,
        **_NO_QUERY,
        "pathParameters": {"proxy": "echo"},
        "stageVariables": {"name": "value"},
        "requestContext": _of_rest("POST", path="/echo", operationName="Echo", protocol="HTTP/1.1"),
        "body": BODY,
    },
}
"""What sends a body and two cookies, by its kind."""
