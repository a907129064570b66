"""AWS Lambda on this machine: turns HTTP into the events that AWS documents, and what the handler gives into answers.

Run with nothing but the standard library: lambda_host.py FOLDER KIND PORT. KIND is one of EVENTS. The folder's own
handler.py finds what it needs in the folder. The shapes, with all fields that are listed there, are those of
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads,
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html and
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html.
"""

from __future__ import annotations

import base64
import importlib
import sys
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote

Event = dict[str, Any]


ADDRESS = "203.0.113.7"
DOMAIN = "id.execute-api.eu-north-1.amazonaws.com"
TEXTS = ("text/", "application/json", "application/javascript", "application/xml")
CERTIFICATE = {
    "clientCertPem": "CERT_CONTENT",
    "subjectDN": "www.example.com",
    "issuerDN": "Example issuer",
    "serialNumber": "a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1:a1",
    "validity": {"notBefore": "May 28 12:30:02 2019 GMT", "notAfter": "Aug  5 09:36:04 2021 GMT"},
}


def _body(headers: Message, body: bytes) -> Event:
    """Gives a body as Amazon does: text where its type says so, base64 otherwise."""
    if not body:
        return {"body": None, "isBase64Encoded": False}
    if (headers.get("Content-Type") or "").startswith(TEXTS):
        return {"body": body.decode(), "isBase64Encoded": False}
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _many(headers: Message) -> dict[str, list[str]]:
    return {name: headers.get_all(name) or [] for name in headers}


def _last(many: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in many.items()}


def of_http(
    method: str, path: str, query: str, headers: Message, body: bytes, stage: str = "prod", key: str = ""
) -> Event:
    """Gives the event of an HTTP API in format 2.0. Its stage stands in the path, with a domain of one's own, too, and
    the key of that domain's mapping doesn't."""
    joined = {name.lower(): ",".join(values) for name, values in _many(headers).items() if name.lower() != "cookie"}
    cookies = [cookie.strip() for line in headers.get_all("Cookie") or [] for cookie in line.split(";")]
    raw = path if stage == "$default" else f"/{stage}{path.removeprefix(key)}"
    event: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw,
        "rawQueryString": query,
        "headers": {
            **joined,
            "x-amzn-trace-id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
            "x-forwarded-for": ADDRESS,
            "x-forwarded-port": "80",
            "x-forwarded-proto": "http",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "id",
            "authentication": {"clientCert": CERTIFICATE},
            "authorizer": {"jwt": {"claims": {"claim1": "value1"}, "scopes": ["scope1"]}},
            "domainName": DOMAIN,
            "domainPrefix": "id",
            "http": {
                "method": method,
                "path": raw,
                "protocol": "HTTP/1.1",
                "sourceIp": ADDRESS,
                "userAgent": headers.get("User-Agent", ""),
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": stage,
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "pathParameters": None,
        "stageVariables": {"stageVariable1": "value1"},
        **_body(headers, body),
    }
    if query:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in parse_qs(query).items()}
    return event | ({"cookies": cookies} if cookies else {})


def of_url(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Gives the event of a function URL, which has the form of format 2.0."""
    event = of_http(method, path, query, headers, body, "$default")
    caller = {"accessKey": "A", "accountId": "1", "callerId": "A", "cognitoIdentity": None, "principalOrgId": None}
    iam = {**caller, "userArn": "arn:aws:iam::111122223333:user/example-user", "userId": "A"}
    event["requestContext"] |= {"accountId": "anonymous", "authentication": None, "authorizer": {"iam": iam}}
    domain = "id.lambda-url.eu-north-1.on.aws"
    event["requestContext"] |= {"domainName": domain}
    return event | {"stageVariables": None}


def of_rest(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Gives the event of a REST API: the path is decoded, and so is the query. The stage is in the context alone."""
    many = _many(headers) | {"X-Forwarded-For": [ADDRESS], "X-Forwarded-Proto": ["http"], "X-Forwarded-Port": ["80"]}
    queries = parse_qs(query, keep_blank_values=True)
    nobody = ["accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType"]
    nobody += ["cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn"]
    return {
        "resource": "/{proxy+}",
        "path": unquote(path),
        "httpMethod": method,
        "headers": _last(many),
        "multiValueHeaders": many,
        "queryStringParameters": _last(queries) or None,
        "multiValueQueryStringParameters": queries or None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "id",
            "authorizer": {"claims": None, "scopes": None},
            "domainName": DOMAIN,
            "domainPrefix": "id",
            "extendedRequestId": "request-id",
            "httpMethod": method,
            "identity": {
                **dict.fromkeys(nobody),
                "sourceIp": ADDRESS,
                "userAgent": headers.get("User-Agent", ""),
                "clientCert": CERTIFICATE,
            },
            "path": f"/prod{unquote(path)}",
            "protocol": "HTTP/1.1",
            "requestId": "id",
            "requestTime": "04/Mar/2020:19:15:17 +0000",
            "requestTimeEpoch": 1583349317135,
            "resourceId": None,
            "resourcePath": "/{proxy+}",
            "stage": "prod",
        },
        "pathParameters": {"proxy": unquote(path).lstrip("/")},
        "stageVariables": None,
        **_body(headers, body),
    }


def of_http_1(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Gives the event of an HTTP API in format 1.0: a REST API's, with a version, and the stage in its path."""
    event = of_rest(method, path, query, headers, body)
    event["requestContext"] |= {"resourcePath": "$default", "resourceId": "$default"}
    staged = event["requestContext"]["path"]
    return event | {"version": "1.0", "resource": "$default", "path": staged, "pathParameters": None}


def of_alb(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Gives the event of a load balancer with multi-value headers. The address that it sees is the last it tells."""
    many = {name.lower(): values for name, values in _many(headers).items()}
    told = ", ".join([*many.get("x-forwarded-for", []), ADDRESS])
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-north-1:1:targetgroup/site/1"}},
        "httpMethod": method,
        "path": path,
        "multiValueQueryStringParameters": _undecoded(query),
        "multiValueHeaders": many
        | {
            "x-amzn-trace-id": ["Root=1-5bdb40ca-556d8b0c50dc66f0511bf520"],
            "x-forwarded-for": [told],
            "x-forwarded-port": ["80"],
            "x-forwarded-proto": ["http"],
        },
        **_body(headers, body),
    }


def _undecoded(query: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, _, value in (pair.partition("=") for pair in query.split("&") if pair):
        found.setdefault(name, []).append(value)
    return found


def of_alb_single(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Gives the event of a load balancer without multi-value headers: of several the last counts."""
    event = of_alb(method, path, query, headers, body)
    queries, many = event.pop("multiValueQueryStringParameters"), event.pop("multiValueHeaders")
    return event | {"queryStringParameters": _last(queries), "headers": _last(many)}


EVENTS: dict[str, Callable[[str, str, str, Message, bytes], Event]] = {
    "url": of_url,
    "http": of_http,
    "http-1": of_http_1,
    "rest": of_rest,
    "alb": of_alb,
    "alb-single": of_alb_single,
}


def headers_of(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Gives the headers of what a handler gave, as AWS sends them."""
    found = [(name, value) for name, value in (answer.get("headers") or {}).items()]
    found += [(name, value) for name, values in (answer.get("multiValueHeaders") or {}).items() for value in values]
    return found + [("Set-Cookie", cookie) for cookie in answer.get("cookies") or []]


def body_of(answer: dict[str, Any]) -> bytes:
    """Gives the body of what a handler gave."""
    text: str = answer.get("body") or ""
    return base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()


def main(folder: str, kind: str, port: str) -> None:
    """Serves until it is killed."""
    sys.path.insert(0, folder)
    handler = importlib.import_module("handler").handler

    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            answer = handler(EVENTS[kind](self.command, path, query, self.headers, body), None)
            content = body_of(answer)
            self.send_response_only(answer["statusCode"])
            for name, value in headers_of(answer):
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = handle_any

    HTTPServer(("127.0.0.1", int(port)), Gateway).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
