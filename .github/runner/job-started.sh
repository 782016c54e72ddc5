#!/bin/bash
# Refuses every job but main's own `bench`. The runner starts this before a job's first step, and a non-zero exit ends
# the job: unlike a guard in a workflow file, a pull request cannot edit it. docs/self-hosted-runner.md installs it.
# Builtins only: PATH could be the job's.
set -eu

IFS= read -r repository < "${BASH_SOURCE[0]%/*}/repository"
wanted="$repository/.github/workflows/bench.yml@refs/heads/main"

refuse() {
  echo "::error::This machine runs $wanted on push, schedule and dispatch only; this job is $1."
  exit 1
}

[ -n "$repository" ] || refuse "of no known repository"
[ "${GITHUB_REPOSITORY-}" = "$repository" ] || refuse "of ${GITHUB_REPOSITORY:-no repository}"
[ "${GITHUB_WORKFLOW_REF-}" = "$wanted" ] || refuse "${GITHUB_WORKFLOW_REF:-of no workflow}"
case "${GITHUB_EVENT_NAME-}" in
  push | schedule | workflow_dispatch) ;;
  *) refuse "started by ${GITHUB_EVENT_NAME:-nothing}" ;;
esac
