PRAGMA application_id = 1280527956;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
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
	PRIMARY KEY (plate, number), 
	FOREIGN KEY(plate) REFERENCES plates (plate) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "defects" VALUES(2,1,100,200,12,80,500,0.9375,105,240,0,1.5,2.5,0.5,3.25);
INSERT INTO "defects" VALUES(2,2,300,200,6,40,90,0.625,302,210,1,NULL,NULL,NULL,NULL);
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
	PRIMARY KEY (plate), 
	UNIQUE (run, plate)
);
INSERT INTO "plates" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:01:00.000000+00:00','P10B','P10B',NULL,'B7',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',NULL,'OK','[]','reason of 1',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:01:05.000000+00:00',NULL);
INSERT INTO "plates" VALUES(2,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:02:00.000000+00:00','P10B','P10B',NULL,'B7',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',NULL,'NG','["defect"]','reason of 2',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:02:05.000000+00:00','pictures/aaaaaaaa/000002');
INSERT INTO "plates" VALUES(3,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:03:00.000000+00:00','P10B','P10B',NULL,'B7',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',NULL,'INCONCLUSIVE','["focus"]','reason of 3',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:03:05.000000+00:00',NULL);
INSERT INTO "plates" VALUES(4,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:04:00.000000+00:00','P10B','P10B',NULL,'B7',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX plates_ledger ON plates (run, verdict);
CREATE INDEX ix_plates_seen_at ON plates (seen_at);
CREATE INDEX ix_events_at ON events (at);
COMMIT;
