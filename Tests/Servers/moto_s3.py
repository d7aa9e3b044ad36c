"""An S3 server that enforces IAM: prints one JSON line with its port and keys, then serves until its input closes."""
import json
import os
import sys

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "7"
import boto3
import flask
from moto.iam.access_control import S3IAMRequest
from moto.server import ThreadedMotoServer

# moto checks the signature of the URL as Flask shows it, where %2F in a query has become a slash (AWS's own clients send
# %2F too). It must check what was sent.
original = S3IAMRequest.__init__


def with_raw_path(self, *args, **kwargs):
    original(self, *args, **kwargs | {"path": flask.request.environ["REQUEST_URI"]})


S3IAMRequest.__init__ = with_raw_path

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
common = dict(endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-central-1",
              aws_access_key_id="setup", aws_secret_access_key="setup")


def user(client, name, actions):
    client.create_user(UserName=name)
    key = client.create_access_key(UserName=name)["AccessKey"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    client.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


iam = boto3.client("iam", **common)
boto3.client("s3", **common).create_bucket(
    Bucket="bundles", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
keys = user(iam, "guard", ["s3:*"])
reader = user(iam, "reader", ["s3:GetObject", "s3:ListBucket"])
print(json.dumps({"port": port, "guard": keys, "reader": reader}), flush=True)
sys.stdin.read()
server.stop()
