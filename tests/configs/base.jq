# The config of the integration tests and the demo, from runc-1.1-spec.json: no terminal, a command that ends, a cgroup of its own.
# Arguments: $id (container id, also its cgroup), $args (array).
.process.terminal = false
| .process.args = $args
| .hostname = "wherry-test"
| .root = { path: "rootfs", readonly: false }
| .linux.namespaces += [ { type: "cgroup" } ]
| .linux.cgroupsPath = "/wherry-test/" + $id
