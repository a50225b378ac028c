# The engine as a container image:   docker build -t iii .
#
# It starts closed: without a mounted configuration its ports are reachable inside the container only, and it prints
# how to open them (scripts/container.sh).

FROM oven/bun:1.4.5-slim AS dependencies
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production

FROM oven/bun:1.4.5-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json tsconfig.json LICENSE ./
COPY src ./src
COPY workers ./workers
COPY sdk/typescript/src ./sdk/typescript/src
COPY scripts/container.sh scripts/healthcheck.ts ./scripts/

# The user the base image brings for this; nothing in /app belongs to it.
USER bun
EXPOSE 49134 3111
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["bun", "scripts/healthcheck.ts"]
ENTRYPOINT ["sh", "scripts/container.sh"]
