PRAGMA application_id = 1280527956;
PRAGMA user_version = 11;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0011');
CREATE TABLE archive (
	plate INTEGER NOT NULL, 
	path VARCHAR, 
	bytes BIGINT, 
	sha256 VARCHAR(64), 
	at VARCHAR(32) NOT NULL, 
	missing VARCHAR, 
	PRIMARY KEY (plate), 
	FOREIGN KEY(plate) REFERENCES plates (plate) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "archive" VALUES(2,'archive/aaaaaaaa/000002.ome.tif',123456,'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','2026-11-30T20:38:06.909590+00:00',NULL);
INSERT INTO "archive" VALUES(3,NULL,NULL,NULL,'2026-11-30T20:38:06.912491+00:00','the archive is behind: its slot was needed');
CREATE TABLE challenges (
	plate INTEGER NOT NULL, 
	candidate VARCHAR(64) NOT NULL, 
	recipe VARCHAR NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	kind VARCHAR NOT NULL, 
	verdict VARCHAR NOT NULL, 
	causes JSON NOT NULL, 
	defects JSON NOT NULL, 
	PRIMARY KEY (plate, candidate), 
	FOREIGN KEY(plate) REFERENCES plates (plate) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "challenges" VALUES(2,'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','next','2026-11-30T20:38:06.914657+00:00','verdict','OK','[]','[{"change": "gone", "x": 100, "y": 200, "width": 12, "height": 80, "score": 0.9375, "probability": 0.875, "number": 1}]');
CREATE TABLE defects (
	plate INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	x INTEGER NOT NULL, 
	y INTEGER NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	area INTEGER NOT NULL, 
	score FLOAT NOT NULL, 
	peak_x INTEGER NOT NULL, 
	peak_y INTEGER NOT NULL, 
	edge BOOLEAN NOT NULL, 
	x_mm FLOAT, 
	y_mm FLOAT, 
	width_mm FLOAT, 
	height_mm FLOAT, 
	probability FLOAT, 
	unanswered INTEGER DEFAULT '0' NOT NULL, 
	vetoed BOOLEAN DEFAULT '0' NOT NULL, 
	PRIMARY KEY (plate, number), 
	FOREIGN KEY(plate) REFERENCES plates (plate) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "defects" VALUES(2,1,100,200,12,80,500,0.9375,105,240,0,1.5,2.5,0.5,3.25,0.875,1,0);
INSERT INTO "defects" VALUES(2,2,300,200,6,40,90,0.625,302,210,1,NULL,NULL,NULL,NULL,NULL,0,0);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	run VARCHAR(32), 
	kind VARCHAR NOT NULL, 
	plate INTEGER, 
	text VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "events" VALUES(1,'2026-11-20T08:03:05.000000+00:00','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','store',3,'a line''s event');
CREATE TABLE golden_checks (
	id INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	recipe VARCHAR NOT NULL, 
	plate INTEGER NOT NULL, 
	passed BOOLEAN NOT NULL, 
	"values" JSON NOT NULL, 
	failures JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "golden_checks" VALUES(1,'2026-11-20T08:00:00.000000+00:00','P10B',1,0,'{"brightness": 80.0}','["brightness 80, allowed 90 to 110"]');
CREATE TABLE golden_standards (
	recipe VARCHAR NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	plates JSON NOT NULL, 
	standard JSON NOT NULL, 
	PRIMARY KEY (recipe)
);
INSERT INTO "golden_standards" VALUES('P10B','2026-11-30T13:46:58.687173+00:00','[1]','{"marks": [{"x": 1, "y": 2}], "limits": {"brightness": {"least": 90, "most": 110}}}');
CREATE TABLE marks (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at VARCHAR(32) NOT NULL, 
	plate INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	defect INTEGER, 
	shape VARCHAR, 
	x0 INTEGER, 
	y0 INTEGER, 
	x1 INTEGER, 
	y1 INTEGER, 
	who VARCHAR NOT NULL, 
	why VARCHAR
);
INSERT INTO "marks" VALUES(1,'2026-11-20T09:00:00.000000+00:00',2,'false alarm',2,NULL,NULL,NULL,NULL,NULL,'anna','stain');
CREATE TABLE optics (
	product VARCHAR NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	kept BLOB NOT NULL, 
	PRIMARY KEY (product)
)
 WITHOUT ROWID

;
INSERT INTO "optics" VALUES('P10B','2026-11-30T13:46:58.585496+00:00',X'6B6E6F776E006F66206974');
CREATE TABLE outputs (
	name VARCHAR NOT NULL, 
	first_plate INTEGER NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "outputs" VALUES('gate',5);
CREATE TABLE plates (
	plate INTEGER NOT NULL, 
	run VARCHAR(32) NOT NULL, 
	seen_at VARCHAR(32) NOT NULL, 
	recipe VARCHAR NOT NULL, 
	product VARCHAR, 
	part_id VARCHAR, 
	batch_id VARCHAR, 
	simulated BOOLEAN NOT NULL, 
	recipe_sha256 VARCHAR, 
	configuration_sha256 VARCHAR, 
	weights_sha256 VARCHAR, 
	classifier_sha256 VARCHAR, 
	code_sha256 VARCHAR, 
	verdict VARCHAR CHECK (verdict IN ('OK', 'NG', 'INCONCLUSIVE')), 
	causes JSON, 
	reason VARCHAR, 
	complete BOOLEAN, 
	rows INTEGER, 
	columns INTEGER, 
	windows INTEGER, 
	windows_scored INTEGER, 
	coverage FLOAT, 
	warnings JSON, 
	brightness FLOAT, 
	contrast FLOAT, 
	saturation FLOAT, 
	focus FLOAT, 
	classifier VARCHAR, 
	latency_s FLOAT, 
	decided_at VARCHAR(32), 
	pictures VARCHAR, 
	uptime_s FLOAT DEFAULT '0' NOT NULL, 
	image VARCHAR, 
	unevenness FLOAT, 
	optics JSON, 
	part_unknown VARCHAR, 
	losses JSON, 
	checksum VARCHAR, camera VARCHAR, 
	PRIMARY KEY (plate), 
	UNIQUE (run, plate)
);
INSERT INTO "plates" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:01:00.000000+00:00','P10B','P10B','S1','B8',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',NULL,'OK','[]','reason of 1',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:01:05.000000+00:00',NULL,6.72196001687552779912e-04,'sheet1.png',0.125,'["dust"]',NULL,'{"strip lost": 2}','e57e9e6a8281db50',NULL);
INSERT INTO "plates" VALUES(2,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:02:00.000000+00:00','P10B','P10B','S2','B8',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',NULL,'NG','["defect"]','reason of 2',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:02:05.000000+00:00','pictures/aaaaaaaa/000002',4.94565899862209334969e-03,'sheet2.png',0.125,'["dust"]',NULL,'{"strip lost": 2}','2bd131f6d6dd9771','C-0042');
INSERT INTO "plates" VALUES(3,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:03:00.000000+00:00','P10B','P10B',NULL,NULL,0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',NULL,'INCONCLUSIVE','["focus"]','reason of 3',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:03:05.000000+00:00',NULL,9.29254299990134313702e-03,'sheet3.png',0.125,'["dust"]','the PLC gave none','{"strip lost": 2}','df681aa90d3b7ebc',NULL);
INSERT INTO "plates" VALUES(4,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:04:00.000000+00:00','P10B','P10B',NULL,NULL,0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.18086290021892637014e-02,'sheet4.png',NULL,NULL,'the PLC gave none',NULL,NULL,NULL);
CREATE TABLE tellings (
	plate INTEGER NOT NULL, 
	output VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	divert BOOLEAN NOT NULL, 
	times INTEGER NOT NULL, 
	said_at VARCHAR(32), 
	answered_at VARCHAR(32), 
	answer VARCHAR NOT NULL, 
	PRIMARY KEY (plate, output), 
	FOREIGN KEY(plate) REFERENCES plates (plate) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "tellings" VALUES(2,'gate','acknowledged',1,1,'2026-11-20T08:00:00.000000+00:00','2026-11-20T08:00:00.000000+00:00','taken');
CREATE TABLE upkeep (
	id INTEGER NOT NULL CHECK (id = 1), 
	begun INTEGER NOT NULL, 
	pruned INTEGER NOT NULL, 
	highest_pruned INTEGER NOT NULL, 
	in_use BOOLEAN NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "upkeep" VALUES(1,4,0,0,0);
CREATE INDEX plates_ledger ON plates (run, verdict);
CREATE INDEX ix_plates_seen_at ON plates (seen_at);
CREATE INDEX ix_plates_uptime_s ON plates (uptime_s);
CREATE INDEX ix_events_at ON events (at);
CREATE INDEX ix_golden_checks_recipe ON golden_checks (recipe);
CREATE INDEX ix_marks_plate ON marks (plate);
CREATE INDEX plates_verdict ON plates (verdict, seen_at, causes);
CREATE INDEX plates_recipe ON plates (recipe, seen_at, verdict);
CREATE INDEX plates_product ON plates (product, seen_at, verdict);
CREATE INDEX plates_batch ON plates (batch_id, seen_at, verdict);
CREATE INDEX plates_part ON plates (part_id);
CREATE INDEX defects_place ON defects (peak_x, peak_y);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('marks',1);
COMMIT;
