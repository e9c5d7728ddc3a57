# The major version is pinned, so that a rebuild brings Debian's and Node's security fixes. To make builds repeatable, pin the
# digest as well, and let a bot raise it (the first command prints it):
#   docker buildx imagetools inspect node:24-slim
#   docker build --build-arg NODE_IMAGE=node:24-slim@sha256:… -t mainsheet .
ARG NODE_IMAGE=node:24-slim

# The package as npm would publish it: JavaScript, bundled here.
FROM ${NODE_IMAGE} AS package
WORKDIR /source
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund --cache /tmp/npm
COPY . ./
RUN npm pack

# What it needs, in the versions of the lock file. No install scripts: better-sqlite3 brings its binaries in the package. No
# optional packages: those are Node itself. No stand-in for GitHub: the demo is not for production.
FROM ${NODE_IMAGE} AS app
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --cache /tmp/npm \
 && npm uninstall --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --cache /tmp/npm \
      @octokit/webhooks-examples @octokit/webhooks-methods @simulacrum/foundation-simulator \
      @simulacrum/github-api-simulator ajv-formats emulate
COPY --from=package /source/mainsheet-*.tgz /tmp/
RUN tar --extract --gzip --file /tmp/mainsheet-*.tgz --strip-components=1
# Whatever the umask of the checkout was: all may read, only root may write.
RUN chmod -R u=rwX,go=rX /app && chmod 0755 /app/bin/mainsheet.js

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Mainsheet" \
      org.opencontainers.image.description="A GitOps deployment controller driven by repository events" \
      org.opencontainers.image.licenses="Apache-2.0"

# git and bash are what checkouts and steps run with; tini reaps what steps leave behind. Versions are Debian's of the day.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends bash ca-certificates git tini \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 65532 mainsheet \
 && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mainsheet \
 && install --directory --owner=65532 --group=65532 --mode=0700 /data \
 && install --directory --mode=0755 /deployments

COPY --from=app /app /app
# For `docker exec` and `kubectl exec`: mainsheet runs, mainsheet doctor.
RUN ln -s /app/bin/mainsheet.js /usr/local/bin/mainsheet

# HOME is what steps get: a place that exists and can be written to when the root file system is read-only.
ENV NODE_ENV=production \
    LANG=C.UTF-8 \
    HOME=/tmp \
    HOST=0.0.0.0 \
    PORT=3000 \
    MAINSHEET_DATA_DIR=/data \
    MAINSHEET_DEPLOYMENTS=/deployments

# A number and not a name, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /app
VOLUME ["/data", "/tmp"]
EXPOSE 3000

# The process answers; whether the store and the specs are well is what /readyz says.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/tini", "--", "node", "/app/bin/mainsheet.js"]
CMD ["serve"]
