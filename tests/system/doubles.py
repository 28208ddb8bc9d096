"""Servers that keep models, as doubles: each is a small state machine behind real HTTP.

A double answers as the server's own documentation says, keeps what it was told, counts
how often its version changed, and can be told to misbehave once or for ever: the faults
are those of FAULTS.

SPDX-License-Identifier: Apache-2.0
"""

import http.client
import http.server
import json
import re
import threading
import time
import urllib.parse

# Faults of one answer to a request that would change something (or of every one).
FAULTS = ["401", "403", "404", "409", "429", "503", "500", "500-after", "reset-after",
          "truncated", "big", "deep", "html", "slow", "redirect", "never"]


class Double:
    """`version` is served; `known` can be. Subclasses answer requests."""

    def __init__(self, version="2", known=("1", "2", "3")):
        self.version, self.known = version, set(known)
        self.changes, self.fault, self.left = 0, None, 0
        self.lock = threading.Lock()
        self.requests = []
        double = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def serve(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                double.requests.append((self.command, self.path, dict(self.headers), body))
                double.respond(self, self.command, self.path, body)

            do_GET = do_POST = do_PUT = do_PATCH = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def break_with(self, fault, times=1):
        self.fault, self.left = fault, times

    def switch(self, to):
        if self.fault == "never" and self.left:
            return
        if self.version != to:
            self.version = to
            self.changes += 1

    def is_change(self, method, path, body):
        return method != "GET"

    def respond(self, handler, method, path, body):
        fault = None
        if self.left and self.fault != "never" and self.is_change(method, path, body):
            fault = self.fault
            self.left -= 1
        if fault and fault.isdigit():
            self.send(handler, int(fault), {"error": "asked for", "message": "asked for",
                                            "error_code": self.word(int(fault))})
        elif fault == "redirect":
            self.send(handler, 302, {}, {"Location": "http://169.254.169.254/latest/"})
        elif fault in ("truncated", "big", "deep", "html", "slow"):
            self.mangle(handler, fault)
        else:
            with self.lock:
                code, answer = self.answer(method, urllib.parse.unquote(path), body)
            if fault == "reset-after":
                handler.close_connection = True
                handler.connection.close()
            elif fault == "500-after":
                self.send(handler, 500, {"message": "it broke behind the work"})
            else:
                self.send(handler, code, answer)

    @staticmethod
    def word(code):
        return {404: "RESOURCE_DOES_NOT_EXIST", 409: "RESOURCE_CONFLICT",
                429: "REQUEST_LIMIT_EXCEEDED"}.get(code, "INTERNAL_ERROR")

    @staticmethod
    def send(handler, code, answer, headers=(), raw=None):
        body = raw if raw is not None else json.dumps(answer).encode()
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def mangle(self, handler, fault):
        """An answer of 200 that is none; nothing was changed."""
        if fault == "truncated":
            self.send(handler, 200, None, raw=b'{"model_version": {"vers')
        elif fault == "html":
            self.send(handler, 200, None, raw=b"<html>a proxy says hello</html>")
        elif fault == "deep":
            self.send(handler, 200, None, raw=b"[" * 5000 + b"]" * 5000)
        elif fault == "big":
            try:
                self.send(handler, 200, None, raw=b'"' + b"x" * (10 << 20) + b'"')
            except OSError:
                handler.close_connection = True
        else:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            try:
                for _ in range(30):
                    handler.wfile.write(b" ")
                    handler.wfile.flush()
                    time.sleep(1)
            except OSError:
                pass
            handler.close_connection = True


class Mlflow(Double):
    def answer(self, method, path, body):
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        end = url.path.removeprefix("/api/2.0/mlflow/")
        if end == "registered-models/alias" and method == "GET":
            if query.get("name") != "bike":
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no model"}
            if query.get("alias") != "champion":
                return 400, {"error_code": "INVALID_PARAMETER_VALUE",
                             "message": "Registered model alias %s not found."
                             % query.get("alias")}
            return 200, {"model_version": self.row(self.version)}
        if end == "model-versions/get" and method == "GET":
            if query.get("version") not in self.known:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no version"}
            return 200, {"model_version": self.row(query["version"])}
        if end == "registered-models/alias" and method == "POST":
            asked = json.loads(body)
            if asked.get("name") != "bike" or asked.get("version") not in self.known:
                return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no version"}
            assert isinstance(asked["version"], str) and asked["alias"] == "champion"
            self.switch(asked["version"])
            return 200, {}
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": path}

    @staticmethod
    def row(version):
        return {"name": "bike", "version": version, "status": "READY"}


class TorchServe(Double):
    def __init__(self, **more):
        super().__init__(**more)
        self.workers = {self.version}

    def row(self, version):
        workers = [{"id": "9000", "status": "READY"}] if version in self.workers else []
        return {"modelName": "bike", "modelVersion": version, "workers": workers}

    def answer(self, method, path, body):
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = url.path.strip("/").split("/")
        if parts[:2] != ["models", "bike"]:
            return 404, {"code": 404, "type": "ModelNotFoundException", "message": "no model"}
        if method == "GET":
            which = sorted(self.known) if parts[2:] == ["all"] else [
                parts[2] if len(parts) > 2 else self.version]
            return 200, [self.row(v) for v in which]
        if len(parts) < 3 or parts[2] not in self.known:
            return 404, {"code": 404, "message": "Model version not found"}
        if parts[3:] == ["set-default"]:
            self.switch(parts[2])
            return 200, {"status": "Default version successfully updated"}
        assert query.get("synchronous") == "true", "202 would not wait"
        self.workers.add(parts[2])
        return 200, {"status": "Workers scaled to 1"}


class Triton(Double):
    config = {"name": "bike", "platform": "onnxruntime_onnx", "max_batch_size": 8,
              "version_policy": {"specific": {"versions": [2]}}}

    def is_change(self, method, path, body):
        return path.endswith("/load")

    def answer(self, method, path, body):
        if path == "/v2/repository/index" and method == "POST":
            return 200, [{"name": "bike", "version": self.version, "state": "READY",
                          "reason": ""},
                         {"name": "other", "version": "9", "state": "READY", "reason": ""}]
        if path == "/v2/models/bike/config" and method == "GET":
            return 200, self.config
        if path == "/v2/repository/models/bike/load" and method == "POST":
            inner = json.loads(json.loads(body)["parameters"]["config"])
            assert inner["max_batch_size"] == 8, "the rest of the configuration is kept"
            (version,) = inner["version_policy"]["specific"]["versions"]
            if str(version) not in self.known:
                return 400, {"error": "failed to load 'bike', no version is available"}
            self.switch(str(version))
            return 200, {}
        return 400, {"error": "unknown"}


class Kube(Double):
    """An object with a resourceVersion; `at` names its text, as a path of keys."""

    def __init__(self, **more):
        super().__init__(**more)
        self.resource, self.generation, self.notes = 100, 1, {}

    @property
    def uri(self):
        return "s3://models/bike/%s/model" % self.version

    def is_change(self, method, path, body):
        return method == "PATCH"

    def wrong(self, code, why):
        return code, {"kind": "Status", "status": "Failure", "message": why, "code": code}


class Kserve(Kube):
    def body(self):
        return {"metadata": {"name": "bike", "resourceVersion": str(self.resource),
                             "generation": self.generation, "annotations": self.notes},
                "spec": {"predictor": {"model": {"storageUri": self.uri}}},
                "status": {"observedGeneration": self.generation,
                           "conditions": [{"type": "Ready", "status": "True"}]}}

    def answer(self, method, path, body):
        if path != "/apis/serving.kserve.io/v1beta1/namespaces/ml/inferenceservices/bike":
            return self.wrong(404, "not found")
        if method == "PATCH":
            patch = json.loads(body)
            if patch["metadata"]["resourceVersion"] != str(self.resource):
                return self.wrong(409, "the object has been modified")
            found = re.fullmatch("s3://models/bike/(.+)/model",
                                 patch["spec"]["predictor"]["model"]["storageUri"])
            self.switch(found[1])
            self.resource += 1
            self.generation += 1
        return 200, self.body()


class Deployment(Kube):
    @property
    def image(self):
        return "registry.example/bike:%s" % self.version

    def body(self):
        return {"metadata": {"name": "bike", "generation": self.generation},
                "spec": {"replicas": 2, "template": {"spec": {"containers": [
                    {"name": "proxy", "image": "proxy:1"},
                    {"name": "model", "image": self.image}]}}},
                "status": {"observedGeneration": self.generation, "updatedReplicas": 2}}

    def answer(self, method, path, body):
        if path != "/apis/apps/v1/namespaces/ml/deployments/bike":
            return self.wrong(404, "not found")
        if method == "PATCH":
            test, replace = json.loads(body)
            assert test["path"] == replace["path"] == \
                "/spec/template/spec/containers/1/image"
            if test["op"] != "test" or test["value"] != self.image:
                return self.wrong(422, "the server rejected our request")
            self.switch(replace["value"].rpartition(":")[2])
            self.generation += 1
        return 200, self.body()


class TfServing(Double):
    """Reads its configuration file anew at each request, as its poll would."""

    def __init__(self, folder, **more):
        super().__init__(**more)
        self.file = folder / "models.config"
        self.file.write_text(TF_CONFIG)
        self.labels, self.loaded = {"stable": "2"}, {"2"}

    def is_change(self, method, path, body):
        return False  # it is told by a file

    def poll(self):
        if self.fault == "never" and self.left:
            return
        text = re.sub(r"#.*", "", self.file.read_text())
        names = re.findall(r'name:\s*"([^"]*)"', text)
        assert names == ["first", "bike", "last"], "an omitted model would be unloaded"
        block = text[text.index('"bike"'):text.index('"last"')]
        wanted = set(re.findall(r"versions:\s*(\d+)", block))
        self.loaded = (wanted or {"2"}) & self.known
        for key, value in re.findall(r'key:\s*"(\w+)"\s*value:\s*(\d+)', block):
            assert value in self.loaded, "a label moves only to a loaded version"
            self.labels[key] = value
        self.switch(self.labels["stable"])
        self.wanted = wanted

    def answer(self, method, path, body):
        self.poll()
        if path == "/v1/models/bike/labels/stable":
            return 200, {"model_version_status": [self.row(self.labels["stable"])]}
        if path == "/v1/models/bike":
            rows = [self.row(v) for v in sorted(self.loaded)]
            rows += [self.row(v, "END") for v in sorted(self.wanted - self.loaded)]
            return 200, {"model_version_status": rows}
        return 404, {"error": "Could not find any versions of model"}

    @staticmethod
    def row(version, state="AVAILABLE"):
        return {"version": version, "state": state,
                "status": {"error_code": "OK", "error_message": ""}}


TF_CONFIG = """\
# Kept by the platform team. { braces in a comment
model_config_list {
  config {
    name: "first"  base_path: "/models/first"  model_platform: "tensorflow"
  }
  config: {
    name: "bike"
    base_path: "/models/bike/}"  # a brace in a text
    model_platform: 'tensorflow'
    model_version_policy { specific { versions: 2 } }
    version_labels { key: "canary" value: 2 }
    version_labels { key: "stable" value: 2 }
  }
  config { name: "last" base_path: "/models/last" }
}
"""
