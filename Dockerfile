# Stage one has everything: it builds the page. Nothing of it but the page gets into the image.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build:web

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
# The runtime is the image's own, so the optional one is left out, as are its installers.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund && npm cache clean --force
COPY main.ts ./
COPY bin bin
COPY broker broker
COPY cli cli
COPY client client
COPY edge edge
COPY examples examples
COPY gen gen
COPY services services
COPY --from=build /app/web/dist web/dist
USER node
EXPOSE 3000 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=16", "--heap-growing-percent=100", "bin/start.js"]
